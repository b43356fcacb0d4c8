//! What agents say besides events, gathered for about a second and written together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use z4j_core::id::{AgentId, LinkId, ProjectId};
use z4j_core::limits;
use z4j_core::store::{
    AgentIdentity, AgentReport, CloseLink, DisownedWorker, QueueSighting, RefusalRow, ReportBatch,
    StoreError, WorkerRow, WorkerSighting,
};
use z4j_core::time::Timestamp;
use z4j_core::wire::TelemetryLoss;

use super::loss::LossMemory;
use super::refusal::RefusalNote;
use crate::live::Delta;
use crate::ops::chain;
use crate::shared::Shared;
use crate::upkeep::is_passing;

/// Entries of one kind that wait for one write; beyond, the latest news is passed over until the next heartbeat.
const WAITING_MAX: usize = 20_000;
/// Closed links that wait while the store takes none; links beyond stay open in it until the brain stops.
const CLOSES_MAX: usize = 100_000;
/// Closed links that one write takes, so that many of them do not keep events waiting.
const CLOSES_PER_WRITE: usize = 500;

/// What agents say besides events, on its way to the store.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    waiting: Mutex<Waiting>,
    losses: Mutex<LossMemory>,
}

type FleetKey = (ProjectId, String, String);

#[derive(Debug, Default)]
struct Waiting {
    reports: BTreeMap<LinkId, AgentReport>,
    workers: BTreeMap<FleetKey, SeenWorker>,
    disowned: BTreeSet<DisownedWorker>,
    queues: BTreeMap<FleetKey, QueueSighting>,
    refusals: BTreeMap<(AgentId, &'static str), Refused>,
    closes: Vec<CloseLink>,
    /// The tenants of agents that have something to tell, for live updates.
    projects: BTreeMap<AgentId, ProjectId>,
}

/// A sighting, and whether it was made just now. Such a one is dated when it is written: what an event said of the worker in
/// between must not make it count as old.
#[derive(Clone, Debug)]
struct SeenWorker {
    sighting: WorkerSighting,
    is_fresh: bool,
}

#[derive(Debug)]
struct Refused {
    agent: AgentIdentity,
    row: RefusalRow,
    count: u64,
    /// How many of them no log line has told yet.
    unlogged: u64,
}

impl Reports {
    /// A heartbeat or status of a link. Later ones of the same link complete earlier ones.
    pub(crate) fn heard(
        &self,
        shared: &Shared,
        project: ProjectId,
        report: AgentReport,
        loss: Option<&TelemetryLoss>,
    ) {
        if let Some(loss) = loss {
            lock(&self.losses).count(&shared.metrics, loss);
        }
        let mut waiting = lock(&self.waiting);
        waiting.projects.insert(report.agent_id, project);
        let has_room = waiting.reports.len() < WAITING_MAX;
        match waiting.reports.get_mut(&report.link_id) {
            Some(known) => {
                known.at = known.at.max(report.at);
                known.buffer_entries = report.buffer_entries.or(known.buffer_entries);
                known.health = report.health.or_else(|| known.health.take());
                if !report.losses.is_empty() {
                    known.losses = report.losses;
                }
            }
            None if has_room => {
                waiting.reports.insert(report.link_id, report);
            }
            None => {}
        }
    }

    /// A worker was named; `is_fresh` when that says that it is there now.
    pub(crate) fn worker(&self, sighting: WorkerSighting, is_fresh: bool) {
        if !can_be_kept(&sighting.engine, &sighting.name) {
            return;
        }
        let key = (
            sighting.project_id,
            sighting.engine.clone(),
            sighting.name.clone(),
        );
        let mut waiting = lock(&self.waiting);
        if let Some(link_id) = sighting.own_link
            && !waiting.disowned.is_empty()
        {
            waiting.disowned.remove(&disowned(&key, link_id));
        }
        let seen = SeenWorker { sighting, is_fresh };
        let has_room = waiting.workers.len() < WAITING_MAX;
        match waiting.workers.get_mut(&key) {
            Some(known) => merge_worker(known, seen),
            None if has_room => {
                waiting.workers.insert(key, seen);
            }
            None => {}
        }
    }

    /// A link does not vouch for a worker any more.
    pub(crate) fn disown(&self, worker: DisownedWorker) {
        let mut waiting = lock(&self.waiting);
        waiting.withdraw(&worker);
        if waiting.disowned.len() < WAITING_MAX {
            waiting.disowned.insert(worker);
        }
    }

    /// A queue was named or measured.
    pub(crate) fn queue(&self, sighting: QueueSighting) {
        if !can_be_kept(&sighting.engine, &sighting.name) {
            return;
        }
        let key = (
            sighting.project_id,
            sighting.engine.clone(),
            sighting.name.clone(),
        );
        let mut waiting = lock(&self.waiting);
        let has_room = waiting.queues.len() < WAITING_MAX;
        match waiting.queues.get_mut(&key) {
            Some(known) => {
                let is_later = sighting.at >= known.at;
                known.at = known.at.max(sighting.at);
                if is_later || known.depth.is_none() {
                    known.depth = sighting.depth.or(known.depth);
                }
            }
            None if has_room => {
                waiting.queues.insert(key, sighting);
            }
            None => {}
        }
    }

    /// Something that an agent sent was refused: counted now, logged and shown on the agent's page within a second.
    pub(crate) fn refuse(&self, shared: &Shared, agent: &AgentIdentity, note: &RefusalNote) {
        shared.metrics.refused(note.code);
        let row = RefusalRow {
            at: shared.env.now(),
            code: note.code.to_owned(),
            message: note.message.clone(),
            skew_ms: note.skew_ms,
        };
        let mut waiting = lock(&self.waiting);
        waiting.projects.insert(agent.agent_id, agent.project_id);
        let key = (agent.agent_id, note.code);
        let refused = waiting.refusals.entry(key).or_insert_with(|| Refused {
            agent: agent.clone(),
            row: row.clone(),
            count: 0,
            unlogged: 0,
        });
        refused.row = row;
        refused.count += 1;
        refused.unlogged += 1;
    }

    /// A link is gone.
    pub(crate) fn closed(&self, link: CloseLink, agent: &AgentIdentity) {
        let mut waiting = lock(&self.waiting);
        waiting.projects.insert(agent.agent_id, agent.project_id);
        if waiting.closes.len() >= CLOSES_MAX {
            return;
        }
        waiting.closes.push(link);
    }

    /// Writes what waits. What the store does not take now waits on.
    pub(crate) async fn flush(&self, shared: &Shared) {
        let mut taken = std::mem::take(&mut *lock(&self.waiting));
        taken.log_refusals();
        let closes = std::mem::take(&mut taken.closes);
        // Sightings first: one of a link that has closed since must not bring its worker back.
        if !taken.is_empty()
            && let Err(error) = shared
                .store
                .record_reports(taken.batch(shared.env.now()))
                .await
        {
            note_fault(shared, &error);
            if is_passing(error.kind()) || shared.store.probe(shared.env.now()).await.is_err() {
                return self.put_back(taken, closes);
            }
            // One of them would keep all others waiting, and with them the ends of links. Most come again with a heartbeat.
            tracing::error!(error = %chain(&error), "what agents said of themselves in a second is dropped: the store refuses it");
        }
        self.close(shared, closes).await;
        taken.publish(shared);
    }

    async fn close(&self, shared: &Shared, mut closes: Vec<CloseLink>) {
        while !closes.is_empty() {
            let rest = closes.split_off(closes.len().min(CLOSES_PER_WRITE));
            match shared.store.close_links(closes.clone()).await {
                Ok(workers) => publish_workers(shared, &workers),
                Err(error) => {
                    // A repeat finds nothing to close, and so no worker that changed.
                    shared.hub.doubts().of_everything();
                    note_fault(shared, &error);
                    closes.extend(rest);
                    return self.put_back(Waiting::default(), closes);
                }
            }
            closes = rest;
        }
    }

    fn put_back(&self, older: Waiting, closes: Vec<CloseLink>) {
        let mut waiting = lock(&self.waiting);
        waiting.closes.extend(closes);
        for (key, report) in older.reports {
            waiting.reports.entry(key).or_insert(report);
        }
        for (key, mut worker) in older.workers {
            let link = worker.sighting.own_link;
            let is_withdrawn = |link_id| waiting.disowned.contains(&disowned(&key, link_id));
            if link.is_some_and(is_withdrawn) {
                worker.sighting.own_link = None;
            }
            waiting.workers.entry(key).or_insert(worker);
        }
        for worker in older.disowned {
            let key = key_of(&worker);
            let owner = waiting.workers.get(&key).and_then(|w| w.sighting.own_link);
            if owner != Some(worker.link_id) && waiting.disowned.len() < WAITING_MAX {
                waiting.disowned.insert(worker);
            }
        }
        for (key, queue) in older.queues {
            waiting.queues.entry(key).or_insert(queue);
        }
        for (key, refused) in older.refusals {
            let count = refused.count;
            let known = waiting.refusals.entry(key);
            known
                .and_modify(|known| known.count += count)
                .or_insert(refused);
        }
        waiting.projects.extend(older.projects);
    }
}

impl Waiting {
    /// Takes back what a link said of a worker that it does not vouch for any more.
    fn withdraw(&mut self, worker: &DisownedWorker) {
        if let Some(seen) = self.workers.get_mut(&key_of(worker))
            && seen.sighting.own_link == Some(worker.link_id)
        {
            seen.sighting.own_link = None;
        }
    }

    fn is_empty(&self) -> bool {
        self.reports.is_empty()
            && self.workers.is_empty()
            && self.disowned.is_empty()
            && self.queues.is_empty()
            && self.refusals.is_empty()
    }

    fn batch(&self, now: Timestamp) -> ReportBatch {
        let refusals = self.refusals.values();
        ReportBatch {
            reports: self.reports.values().cloned().collect(),
            disowned: self.disowned.iter().cloned().collect(),
            workers: self.workers.values().map(|seen| seen.dated(now)).collect(),
            queues: self.queues.values().cloned().collect(),
            refusals: refusals
                .map(|refused| (refused.agent.agent_id, refused.row.clone(), refused.count))
                .collect(),
        }
    }

    /// One line for each agent and reason, however often it happened.
    fn log_refusals(&mut self) {
        for refused in self
            .refusals
            .values_mut()
            .filter(|refused| refused.unlogged > 0)
        {
            tracing::warn!(
                agent = %refused.agent.name,
                agent_id = %refused.agent.agent_id,
                reason = %refused.row.code,
                times = refused.unlogged,
                skew_ms = refused.row.skew_ms,
                "refused what an agent sent: {}",
                refused.row.message
            );
            refused.unlogged = 0;
        }
    }

    fn publish(self, shared: &Shared) {
        for (agent, project) in self.projects {
            shared.hub.publish(project, Delta::Agent(agent));
        }
        for (project, engine, name) in self.workers.into_keys() {
            let (engine, name) = (engine.into(), name.into());
            shared.hub.publish(project, Delta::Worker { engine, name });
        }
        for (project, engine, name) in self.queues.into_keys() {
            let (engine, name) = (engine.into(), name.into());
            shared.hub.publish(project, Delta::Queue { engine, name });
        }
    }
}

/// Whether a store can keep something of that name.
fn can_be_kept(engine: &str, name: &str) -> bool {
    engine.chars().count() <= limits::ENGINE_CHARS_MAX && name.len() <= limits::FLEET_NAME_BYTES_MAX
}

fn key_of(worker: &DisownedWorker) -> FleetKey {
    (
        worker.project_id,
        worker.engine.clone(),
        worker.name.clone(),
    )
}

fn disowned((project_id, engine, name): &FleetKey, link_id: LinkId) -> DisownedWorker {
    DisownedWorker {
        project_id: *project_id,
        engine: engine.clone(),
        name: name.clone(),
        link_id,
    }
}

/// Tells dashboards of workers whose state changed.
pub(crate) fn publish_workers(shared: &Shared, workers: &[WorkerRow]) {
    for worker in workers {
        let (engine, name) = (worker.engine.as_str().into(), worker.name.as_str().into());
        shared
            .hub
            .publish(worker.project_id, Delta::Worker { engine, name });
    }
}

fn note_fault(shared: &Shared, error: &StoreError) {
    shared.metrics.store_fault(error.kind().as_str());
    if shared.health.fail(error) {
        tracing::error!(error = %chain(error), "reports of agents wait: the store does not take them");
    }
}

impl SeenWorker {
    fn dated(&self, now: Timestamp) -> WorkerSighting {
        let mut sighting = self.sighting.clone();
        if self.is_fresh {
            sighting.at = now;
        }
        sighting
    }
}

/// The later sighting counts; what only the earlier one knew is kept.
fn merge_worker(known: &mut SeenWorker, next: SeenWorker) {
    let is_later = next.sighting.at >= known.sighting.at;
    let (mut later, earlier) = if is_later {
        (next, known.clone())
    } else {
        (known.clone(), next)
    };
    let (to, from) = (&mut later.sighting, earlier.sighting);
    to.own_link = to.own_link.or(from.own_link).filter(|_| !to.stopping);
    to.pid = to.pid.or(from.pid);
    to.concurrency = to.concurrency.or(from.concurrency);
    to.active = to.active.or(from.active);
    to.queues = to.queues.take().or(from.queues);
    to.details = to.details.take().or(from.details);
    *known = later;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
