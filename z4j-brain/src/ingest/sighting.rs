//! Workers and queues that events name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use z4j_core::store::{IngestEvent, QueueSighting, WorkerSighting};
use z4j_core::task::EventKind;
use z4j_core::time::Timestamp;

use super::reports::Reports;
use crate::link::LinkHandle;

/// The same name is reported again only after this time.
const REPEAT_AFTER: Duration = Duration::from_secs(1);
/// Names that are remembered per link; beyond, every naming is reported.
const NAMES_MAX: usize = 1024;

/// What one link's events and heartbeats have named lately.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    workers: Named,
    queues: Named,
    /// Engines whose heartbeats describe their workers: only those descriptions tell whose process a worker is.
    described: HashSet<String>,
    has_heard: bool,
}

type Named = HashMap<(Arc<str>, Box<str>), Timestamp>;

impl Sightings {
    /// Notes that a heartbeat came.
    pub(super) const fn note_heartbeat(&mut self) {
        self.has_heard = true;
    }

    /// Notes that heartbeats describe the workers of `engine`.
    pub(super) fn note_described(&mut self, engine: &str) {
        if !self.described.contains(engine) && self.described.len() < NAMES_MAX {
            self.described.insert(engine.to_owned());
        }
    }

    /// Reports the worker and the queue that an event names. The time is that of the event, so that an old one which is
    /// sent late does not make a worker look alive.
    pub(super) fn note_event(
        &mut self,
        reports: &Reports,
        link: &LinkHandle,
        event: &IngestEvent,
        now: Timestamp,
    ) {
        let at = event.occurred_at.min(now);
        if let Some(worker) = &event.worker {
            let is_stopping = event.kind == EventKind::WorkerOffline;
            if is_stopping || is_news(&mut self.workers, &event.engine, worker, at) {
                let own_link = self.is_own(&event.engine).then_some(link.id);
                reports.worker(WorkerSighting {
                    project_id: event.project_id,
                    engine: event.engine.to_string(),
                    name: worker.to_string(),
                    agent_id: event.agent_id,
                    own_link: own_link.filter(|_| !is_stopping),
                    at,
                    stopping: is_stopping,
                    pid: own_link.and(link.pid),
                    concurrency: None,
                    active: None,
                    queues: None,
                    details: None,
                });
            }
        }
        if let Some(queue) = &event.queue
            && is_news(&mut self.queues, &event.engine, queue, at)
        {
            reports.queue(QueueSighting {
                project_id: event.project_id,
                engine: event.engine.to_string(),
                name: queue.to_string(),
                depth: None,
                at,
            });
        }
    }

    /// Whether a worker of `engine` that this link names runs in the link's own process: true of engines that report only
    /// their own process, which is known once a heartbeat came without a description of workers.
    fn is_own(&self, engine: &str) -> bool {
        self.has_heard && !self.described.contains(engine)
    }
}

fn is_news(named: &mut Named, engine: &Arc<str>, name: &str, at: Timestamp) -> bool {
    let key = (Arc::clone(engine), Box::from(name));
    match named.get_mut(&key) {
        Some(last) if at.since(*last) < REPEAT_AFTER => false,
        Some(last) => {
            *last = at;
            true
        }
        None => {
            if named.len() < NAMES_MAX {
                named.insert(key, at);
            }
            true
        }
    }
}
