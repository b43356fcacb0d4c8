//! Which links speak for which workers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

use z4j_core::id::{LinkId, ProjectId};
use z4j_core::limits;
use z4j_core::store::IngestEvent;
use z4j_core::time::Timestamp;

use super::handle::LinkHandle;

/// Workers that one link can speak for. A process is one worker of an engine, or a few.
const WORKERS_PER_LINK_MAX: usize = 16;

/// The workers that live links vouch for, by project, engine and name.
///
/// Agents of some engines watch the broker, so each of them reports what happens on every worker, with the time at which it
/// happened to look. Only the report of the worker's own process is the transition; the others are echoes of it, a few
/// milliseconds off, and told apart from a second attempt by nothing but this.
#[derive(Debug, Default)]
pub(crate) struct Owners(RwLock<HashMap<ProjectId, Engines>>);

/// The links that claim a worker, with when their processes started.
type Claims = BTreeMap<LinkId, Option<Timestamp>>;
type Engines = HashMap<String, HashMap<String, Claims>>;

impl Owners {
    /// Notes that `link` is the process of this worker.
    pub(crate) fn claim(&self, link: &LinkHandle, engine: &str, worker: &str) {
        if self.holds(link.project_id(), engine, worker, link.id) {
            return;
        }
        let mut projects = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let engines = projects.entry(link.project_id()).or_default();
        let held = engines
            .values()
            .flat_map(HashMap::values)
            .filter(|links| links.contains_key(&link.id))
            .count();
        if held < WORKERS_PER_LINK_MAX {
            let workers = engines.entry(engine.to_owned()).or_default();
            workers
                .entry(worker.to_owned())
                .or_default()
                .insert(link.id, link.started_at);
        }
    }

    /// Forgets that `link` vouched for one worker.
    pub(crate) fn disclaim(&self, link: &LinkHandle, engine: &str, worker: &str) {
        let mut projects = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(workers) = projects
            .get_mut(&link.project_id())
            .and_then(|engines| engines.get_mut(engine))
        else {
            return;
        };
        if let Some(links) = workers.get_mut(worker) {
            links.remove(&link.id);
            if links.is_empty() {
                workers.remove(worker);
            }
        }
    }

    /// Forgets what `link` vouched for.
    pub(super) fn release(&self, link: LinkId) {
        let mut projects = self.0.write().unwrap_or_else(PoisonError::into_inner);
        projects.retain(|_, engines| {
            engines.retain(|_, workers| {
                workers.retain(|_, links| {
                    links.remove(&link);
                    !links.is_empty()
                });
                !workers.is_empty()
            });
            !engines.is_empty()
        });
    }

    /// Whether another process, which is connected, reports this event itself.
    ///
    /// It does so only if it was there when the event happened: what a sibling sends from the buffer of a worker's dead
    /// predecessor is nobody else's to tell. A process that does not say when it started is not relied on. A process that
    /// comes back is no other one: until its old link is found dead, that link still claims the worker, and the two are
    /// known by the same start.
    pub(crate) fn is_second_hand(
        &self,
        link: &LinkHandle,
        event: &IngestEvent,
        received_at: Timestamp,
    ) -> bool {
        let (Some(worker), Some(_)) = (&event.worker, &event.task) else {
            return false;
        };
        let projects = self.0.read().unwrap_or_else(PoisonError::into_inner);
        projects
            .get(&event.project_id)
            .and_then(|engines| engines.get(&*event.engine)?.get(&**worker))
            .is_some_and(|links| {
                let tells_it = |started_at: &Option<Timestamp>| {
                    *started_at != link.started_at
                        && was_there(*started_at, event.sent_at, received_at)
                };
                !links.contains_key(&link.id) && links.values().any(tells_it)
            })
    }

    /// Whether `link` claims this worker.
    pub(crate) fn holds(
        &self,
        project: ProjectId,
        engine: &str,
        worker: &str,
        link: LinkId,
    ) -> bool {
        let projects = self.0.read().unwrap_or_else(PoisonError::into_inner);
        projects
            .get(&project)
            .and_then(|engines| engines.get(engine)?.get(worker))
            .is_some_and(|links| links.contains_key(&link))
    }
}

/// Whether a process that started then was there when something happened, by the time that was sent: the one that is shown is
/// clamped to the time of receipt, at which every process was there. A time that lies further ahead than clocks may differ says
/// nothing, nor does one that cannot be read (it is filed under 1970): what a dead predecessor told with a wrong clock would be
/// left to a successor that knows nothing of it.
pub(crate) fn was_there(
    started_at: Option<Timestamp>,
    sent_at: Timestamp,
    received_at: Timestamp,
) -> bool {
    let believed_until = received_at.plus(limits::FRAME_SKEW_MAX);
    sent_at <= believed_until && started_at.is_some_and(|started_at| started_at <= sent_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_s(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn process_tells_what_happened_since_it_started_and_no_nonsense_of_its_predecessor() {
        let (started_at, received_at) = (Some(at_s(100)), at_s(200));
        assert!(was_there(started_at, at_s(100), received_at));
        assert!(was_there(started_at, at_s(150), received_at));
        assert!(!was_there(started_at, at_s(99), received_at));
        assert!(!was_there(started_at, Timestamp::EPOCH, received_at));
        assert!(!was_there(None, at_s(150), received_at));
        let ahead = at_s(200).plus(limits::FRAME_SKEW_MAX);
        assert!(was_there(started_at, ahead, received_at));
        let beyond = Timestamp::from_micros(ahead.as_micros() + 1);
        assert!(!was_there(started_at, beyond, received_at));
    }
}
