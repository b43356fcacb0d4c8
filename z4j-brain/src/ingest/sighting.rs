//! Workers and queues that events name.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use z4j_core::limits;
use z4j_core::store::{DisownedWorker, IngestEvent, QueueSighting, WorkerSighting};
use z4j_core::task::EventKind;
use z4j_core::time::Timestamp;

use crate::link::LinkHandle;
use crate::shared::Shared;

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
    /// Engines of which a sound heartbeat describes no workers: they report only their own process.
    undescribed: HashSet<String>,
    /// The workers that this link vouches for, by engine.
    owned: BTreeSet<(String, String)>,
}

type Named = HashMap<(Arc<str>, Box<str>), Timestamp>;

impl Sightings {
    /// Notes which engines are looked at without a fault and do not describe their workers.
    pub(super) fn note_health(&mut self, health: &BTreeMap<String, String>) {
        let (mut sound, mut other) = (BTreeSet::new(), BTreeSet::new());
        for key in health.keys().take(limits::HEALTH_KEYS_MAX) {
            match key.rsplit_once('.') {
                Some((engine, "error" | "broker_error" | "worker_details")) => other.insert(engine),
                Some((engine, _)) => sound.insert(engine),
                None => false,
            };
        }
        for engine in sound.difference(&other) {
            if self.undescribed.len() < NAMES_MAX {
                self.undescribed.insert((*engine).to_owned());
            }
        }
    }

    /// Notes what a heartbeat says of the workers of `engine`. The link stops vouching for those that are not, or not surely,
    /// its own any more. A description of nobody is the silence of all of them and no news of one.
    pub(super) fn note_described(
        &mut self,
        shared: &Shared,
        link: &LinkHandle,
        engine: &str,
        workers: &[WorkerSighting],
    ) {
        let is_first = self.described.len() < NAMES_MAX && self.described.insert(engine.to_owned());
        let own = |name: &str| {
            let mut own = workers.iter().filter(|worker| worker.own_link.is_some());
            own.any(|worker| worker.name == name)
        };
        if is_first || !workers.is_empty() {
            let not_own = |(of, name): &(String, String)| of == engine && !own(name);
            for (engine, name) in self.owned.extract_if(.., not_own) {
                shared.links.owners.disclaim(link, &engine, &name);
                shared.reports.disown(DisownedWorker {
                    project_id: link.project_id(),
                    engine,
                    name,
                    link_id: link.id,
                });
            }
        }
        for worker in workers.iter().filter(|worker| worker.own_link.is_some()) {
            self.own(engine, &worker.name);
        }
    }

    /// Notes that the link vouches for a worker; false when it vouches for too many.
    fn own(&mut self, engine: &str, worker: &str) -> bool {
        let key = (engine.to_owned(), worker.to_owned());
        self.owned.contains(&key) || (self.owned.len() < NAMES_MAX && self.owned.insert(key))
    }

    /// Reports what an event says beyond what the store takes from it by itself: which process a worker is, and names in
    /// events that are not about a task. The time is that of the event, so that an old one which is sent late does not make
    /// a worker look alive.
    pub(super) fn note_event(
        &mut self,
        shared: &Shared,
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
                let is_there = is_own && !is_stopping && self.own(&event.engine, worker);
                shared
                    .reports
                    .worker(sighting(link, event, worker, at, is_there), is_there);
            }
        }
        if let Some(queue) = event.queue.as_ref().filter(|_| !is_task)
            && is_news(&mut self.queues, &event.engine, queue, at, pause)
        {
            shared.reports.queue(QueueSighting {
                project_id: event.project_id,
                engine: event.engine.to_string(),
                name: queue.to_string(),
                depth: None,
                at,
            });
        }
    }

    /// Whether a worker of `engine` that this link names runs in the link's own process: true of engines that report only
    /// their own process, which is known once a sound heartbeat came without a description of workers.
    fn is_own(&self, engine: &str) -> bool {
        self.undescribed.contains(engine) && !self.described.contains(engine)
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
