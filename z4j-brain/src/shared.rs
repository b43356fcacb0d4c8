//! What every part of a brain works with.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use z4j_core::env::Env;
use z4j_core::redact::Redactor;
use z4j_core::store::Store;

use crate::access::AccessPolicy;
use crate::config::BrainConfig;
use crate::dispatch::Dispatcher;
use crate::http::Dashboard;
use crate::ingest::{Committer, Reports};
use crate::link::Registry;
use crate::live::Hub;
use crate::metrics::Metrics;
use crate::ops::Keyring;
use crate::replicas::Replicas;
use crate::upkeep::Health;

/// What every part of a brain works with. Made once by the builder and shared.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The database.
    pub(crate) store: Arc<dyn Store>,
    /// Time, ids and secrets.
    pub(crate) env: Env,
    /// Settings.
    pub(crate) config: BrainConfig,
    /// Keys derived from the secrets: project keys, token hashes, audit key.
    pub(crate) keyring: Keyring,
    /// What may be stored.
    pub(crate) redactor: Arc<dyn Redactor>,
    /// Who is behind a request.
    pub(crate) access: Arc<dyn AccessPolicy>,
    /// The dashboard's files, when there are any.
    pub(crate) dashboard: Option<Arc<dyn Dashboard>>,
    /// The queue in front of the store's ingest.
    pub(crate) committer: Committer,
    /// What agents said of themselves and their fleet, on its way to the store.
    pub(crate) reports: Reports,
    /// Hands commands to links.
    pub(crate) dispatcher: Dispatcher,
    /// The links to agents that this brain holds.
    pub(crate) links: Registry,
    /// What dashboards are told.
    pub(crate) hub: Hub,
    /// Whether the store takes writes, and why not.
    pub(crate) health: Health,
    /// Counters for `/metrics`.
    pub(crate) metrics: Metrics,
    /// Cancelled when the brain begins to stop: what would go on for ever ends.
    pub(crate) stopping: CancellationToken,
    /// This brain, among those that share the store.
    pub(crate) replicas: Replicas,
    /// Counts changes of people's rights, here or elsewhere, so that live streams look again at once.
    pub(crate) rights: watch::Sender<u64>,
}

impl Shared {
    /// Somebody's rights may have changed.
    pub(crate) fn rights_changed(&self) {
        self.rights.send_modify(|n| *n = n.wrapping_add(1));
    }
}
