//! What the suite asks of whoever brings a transport.

use std::fmt::Debug;

use async_trait::async_trait;
use z4j_core::transport::{Acceptor, Endpoint, Link, Transport};

/// Both ends of a transport.
#[async_trait]
pub trait TransportRig: Debug + Send + Sync {
    /// The end that dials.
    fn transport(&self) -> &dyn Transport;

    /// The end that takes what is dialled at [`Self::endpoint`].
    fn acceptor(&self) -> &dyn Acceptor;

    /// Where the acceptor listens.
    fn endpoint(&self) -> Endpoint;

    /// Where nobody listens.
    fn deserted_endpoint(&self) -> Endpoint;
}

/// A link's two ends: the dialling one, the accepting one.
pub(super) async fn linked(rig: &dyn TransportRig) -> (Link, Link) {
    let endpoint = rig.endpoint();
    let (dialled, accepted) =
        tokio::join!(rig.transport().dial(&endpoint), rig.acceptor().accept());
    (
        dialled.expect("the acceptor listens, so dialling it succeeds"),
        accepted.expect("somebody dialled, so a link comes"),
    )
}
