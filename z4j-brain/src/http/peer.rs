//! The other end of a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ConnectInfo;
use http::Extensions;

use super::slots::Slot;

/// The other end of a connection that this crate's own server took.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    /// Held until the connection proves who it is, so that one address cannot take all connections.
    unproven: Arc<Mutex<Option<Slot<IpAddr>>>>,
}

impl Peer {
    /// A connection from `address` that has proved nothing yet.
    pub(crate) fn new(address: SocketAddr, unproven: Option<Slot<IpAddr>>) -> Self {
        Self {
            address,
            unproven: Arc::new(Mutex::new(unproven)),
        }
    }

    /// The connection proved who it is.
    pub(crate) fn trust(&self) {
        let slot = self
            .unproven
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(slot);
    }
}

/// Where a request came from, as far as the server says. Headers are not believed: no proxy is configured. Behind a proxy
/// on the same machine this is loopback for everybody, so limits of one address leave loopback out.
pub(crate) fn address_of(extensions: &Extensions) -> Option<IpAddr> {
    let own = extensions.get::<Peer>().map(|peer| peer.address.ip());
    let axum = || {
        extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip())
    };
    own.or_else(axum).map(|address| address.to_canonical())
}
