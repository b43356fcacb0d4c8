//! What agents say besides events, gathered for about a second and written together.

use std::sync::{Mutex, MutexGuard, PoisonError};

use z4j_core::id::ProjectId;
use z4j_core::limits;
use z4j_core::store::{
    AgentIdentity, AgentReport, CloseLink, DisownedWorker, QueueSighting, RefusalRow, StoreError,
    WorkerRow, WorkerSighting,
};
use z4j_core::wire::TelemetryLoss;

use super::loss::LossMemory;
use super::refusal::RefusalNote;
use super::waiting::{Refused, SeenWorker, WAITING_MAX, Waiting, disowned, merge_worker};
use crate::live::Delta;
use crate::ops::chain;
use crate::shared::Shared;
use crate::upkeep::is_passing;

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
        lock(&self.waiting).put_back(older, closes);
    }
}

/// Whether a store can keep something of that name.
fn can_be_kept(engine: &str, name: &str) -> bool {
    engine.chars().count() <= limits::ENGINE_CHARS_MAX && name.len() <= limits::FLEET_NAME_BYTES_MAX
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
