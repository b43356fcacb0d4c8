//! What handlers work with.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use z4j_core::id::UserId;
use z4j_core::keys::Purpose;

use super::cursor::CursorKey;
use super::host::Hosts;
use super::probe::ProbeCache;
use super::slots::Slots;
use super::writes::Writes;
use crate::access::{HashGate, Throttles};
use crate::shared::Shared;

/// Live streams of one person at once (`reliability.md` §6.6).
const STREAMS_PER_USER_MAX: usize = 16;

/// What handlers work with.
#[derive(Debug)]
pub(crate) struct Web {
    /// The brain.
    pub(crate) shared: Arc<Shared>,
    /// Checks passwords.
    pub(crate) gate: HashGate,
    /// How often sign-in and set-up may be tried.
    pub(crate) throttles: Throttles,
    /// Who holds how many live streams.
    pub(crate) streams: Arc<Slots<UserId>>,
    /// What the store last said of itself.
    pub(crate) probe: ProbeCache,
    /// Signs cursors.
    pub(crate) cursors: CursorKey,
    /// What changes something and is under way.
    pub(crate) writes: Writes,
    /// Whom `Host` may name.
    pub(crate) hosts: Hosts,
    /// Cookies are `Secure` and browsers are told to stay on https.
    pub(crate) is_https: bool,
    /// Ends live streams when the server stops.
    pub(crate) stop: CancellationToken,
}

/// Shared by all handlers.
pub(crate) type App = Arc<Web>;

impl Web {
    /// Ready for requests until `stop`.
    pub(crate) fn new(shared: Arc<Shared>, stop: CancellationToken) -> App {
        let (env, server) = (shared.env.clone(), &shared.config.server);
        Arc::new(Self {
            gate: HashGate::new(env.clone(), &shared.config.sign_in),
            throttles: Throttles::new(env),
            streams: Arc::new(Slots::new(STREAMS_PER_USER_MAX)),
            probe: ProbeCache::default(),
            cursors: CursorKey::new(shared.keyring.session_key(Purpose::Cursors)),
            writes: Writes::new(),
            hosts: Hosts::new(server),
            is_https: server.is_https(),
            stop,
            shared,
        })
    }

    /// Somebody's rights changed here.
    pub(crate) fn rights_changed(&self) {
        self.shared.rights_changed();
    }
}
