//! Workers and queues that events name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use z4j_core::store::{IngestEvent, QueueSighting, WorkerSighting};
use z4j_core::task::EventKind;
use z4j_core::time::Timestamp;

use super::reports::Reports;
use crate::link::LinkHandle;

/// The same name of an event that is not about a task is reported again only after this time.
const REPEAT_AFTER: Duration = Duration::from_secs(1);
/// The same worker is claimed for a link again only after this time.
const CLAIM_AFTER: Duration = Duration::from_secs(30);
/// An event of this age was reported by the process that it happened in; buffers of dead processes are adopted only later
/// than this (protocol §5.3).
const OWN_AGE_MAX: Duration = Duration::from_secs(30);
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

    /// Reports what an event says beyond what the store takes from it by itself: which process a worker is, and names in
    /// events that are not about a task. The time is that of the event, so that an old one which is sent late does not make
    /// a worker look alive.
    pub(super) fn note_event(
        &mut self,
        reports: &Reports,
        link: &LinkHandle,
        event: &IngestEvent,
        now: Timestamp,
    ) {
        let is_task = event.task.is_some();
        let is_own = self.is_own(&event.engine) && now.since(event.occurred_at) < OWN_AGE_MAX;
        if is_task && !is_own {
            return;
        }
        let at = event.occurred_at.min(now);
        let pause = if is_task { CLAIM_AFTER } else { REPEAT_AFTER };
        if let Some(worker) = &event.worker {
            let is_stopping = event.kind == EventKind::WorkerOffline;
            if is_stopping || is_news(&mut self.workers, &event.engine, worker, at, pause) {
                let is_there = is_own && !is_stopping;
                reports.worker(sighting(link, event, worker, at, is_there), is_there);
            }
        }
        if let Some(queue) = event.queue.as_ref().filter(|_| !is_task)
            && is_news(&mut self.queues, &event.engine, queue, at, pause)
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

fn sighting(
    link: &LinkHandle,
    event: &IngestEvent,
    worker: &str,
    at: Timestamp,
    is_own: bool,
) -> WorkerSighting {
    WorkerSighting {
        project_id: event.project_id,
        engine: event.engine.to_string(),
        name: worker.to_owned(),
        agent_id: event.agent_id,
        own_link: is_own.then_some(link.id),
        at,
        stopping: event.kind == EventKind::WorkerOffline,
        pid: link.pid.filter(|_| is_own),
        concurrency: None,
        active: None,
        queues: None,
        details: None,
    }
}

fn is_news(
    named: &mut Named,
    engine: &Arc<str>,
    name: &str,
    at: Timestamp,
    pause: Duration,
) -> bool {
    let key = (Arc::clone(engine), Box::from(name));
    match named.get_mut(&key) {
        Some(last) if at.since(*last) < pause => false,
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
