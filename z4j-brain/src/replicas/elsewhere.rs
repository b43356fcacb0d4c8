//! Which workers the links of other brains speak for.
//!
//! An agent reports what its siblings do, too; only a worker's own process tells it first-hand (decision 6). Its link may
//! be another brain's, so the links that claim workers are read from the store, and again when something is announced.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use z4j_core::id::ProjectId;
use z4j_core::store::{IngestEvent, StoreError};
use z4j_core::time::Timestamp;

use crate::link::{LinkHandle, Owners, was_there};
use crate::ops::chain;
use crate::shared::Shared;

/// Looked at this often even if nothing is announced.
const POLL: Duration = Duration::from_secs(2);
/// And no more often than this.
const PAUSE: Duration = Duration::from_millis(200);

/// By engine and name: when the process of the worker started.
type Started = HashMap<String, HashMap<String, Option<Timestamp>>>;

/// The workers that links of other brains speak for.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    known: RwLock<HashMap<ProjectId, Started>>,
    changed: Notify,
}

impl Elsewhere {
    /// Something may have changed.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Whether the worker's own process reports this event to another brain. As [`Owners::is_second_hand`] for this brain's
    /// links; what the link claims itself is first-hand in any case.
    pub(crate) fn is_second_hand(
        &self,
        owners: &Owners,
        link: &LinkHandle,
        event: &IngestEvent,
        received_at: Timestamp,
    ) -> bool {
        let (Some(worker), Some(_)) = (&event.worker, &event.task) else {
            return false;
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let started_at = known
            .get(&event.project_id)
            .and_then(|engines| *engines.get(&*event.engine)?.get(&**worker)?);
        started_at != link.started_at
            && was_there(started_at, event.sent_at, received_at)
            && !owners.holds(event.project_id, &event.engine, worker, link.id)
    }

    fn put(&self, known: HashMap<ProjectId, Started>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// Keeps what is known up to date until `halt`.
pub(super) async fn run(shared: &Shared, halt: &CancellationToken) {
    let elsewhere = &shared.replicas.elsewhere;
    loop {
        match read(shared).await {
            Ok(known) => elsewhere.put(known),
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the workers of other brains cannot be read");
            }
        }
        tokio::select! {
            biased;
            () = halt.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        tokio::select! {
            biased;
            () = halt.cancelled() => return,
            () = elsewhere.changed.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

async fn read(shared: &Shared) -> Result<HashMap<ProjectId, Started>, StoreError> {
    let mut known = HashMap::new();
    if shared.replicas.others() == 0 {
        return Ok(known);
    }
    let own = shared.replicas.own();
    for project in shared.links.agents_by_project().into_keys() {
        let engines: &mut Started = known.entry(project).or_default();
        for owner in shared.store.worker_owners(project).await? {
            if owner.replica != own {
                let workers = engines.entry(owner.engine).or_default();
                workers.insert(owner.name, owner.started_at);
            }
        }
    }
    Ok(known)
}
