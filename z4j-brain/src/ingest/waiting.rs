//! What agents said besides events and waits to be written.

use std::collections::{BTreeMap, BTreeSet};

use z4j_core::id::{AgentId, LinkId, ProjectId};
use z4j_core::store::{
    AgentIdentity, AgentReport, CloseLink, DisownedWorker, QueueSighting, RefusalRow, ReportBatch,
    WorkerSighting,
};
use z4j_core::time::Timestamp;

use crate::live::Delta;
use crate::shared::Shared;

/// Entries of one kind that wait for one write; beyond, the latest news is passed over until the next heartbeat.
pub(super) const WAITING_MAX: usize = 20_000;

/// Project, engine and name.
pub(super) type FleetKey = (ProjectId, String, String);

/// What waits for one write, the latest of each.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) reports: BTreeMap<LinkId, AgentReport>,
    pub(super) workers: BTreeMap<FleetKey, SeenWorker>,
    pub(super) disowned: BTreeSet<DisownedWorker>,
    pub(super) queues: BTreeMap<FleetKey, QueueSighting>,
    pub(super) refusals: BTreeMap<(AgentId, &'static str), Refused>,
    pub(super) closes: Vec<CloseLink>,
    /// The tenants of agents that have something to tell, for live updates.
    pub(super) projects: BTreeMap<AgentId, ProjectId>,
}

/// A sighting, and whether it was made just now. Such a one is dated when it is written: what an event said of the worker in
/// between must not make it count as old.
#[derive(Clone, Debug)]
pub(super) struct SeenWorker {
    pub(super) sighting: WorkerSighting,
    pub(super) is_fresh: bool,
}

/// What was refused of an agent for one reason.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) agent: AgentIdentity,
    pub(super) row: RefusalRow,
    pub(super) count: u64,
    /// How many of them no log line has told yet.
    pub(super) unlogged: u64,
}

impl Waiting {
    /// Takes back what a link said of a worker that it does not vouch for any more.
    pub(super) fn withdraw(&mut self, worker: &DisownedWorker) {
        if let Some(seen) = self.workers.get_mut(&key_of(worker))
            && seen.sighting.own_link == Some(worker.link_id)
        {
            seen.sighting.own_link = None;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty()
            && self.workers.is_empty()
            && self.disowned.is_empty()
            && self.queues.is_empty()
            && self.refusals.is_empty()
    }

    pub(super) fn batch(&self, now: Timestamp) -> ReportBatch {
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
    pub(super) fn log_refusals(&mut self) {
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

    pub(super) fn publish(self, shared: &Shared) {
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

    /// What was taken out and could not be written waits again, behind what came meanwhile.
    pub(super) fn put_back(&mut self, older: Self, closes: Vec<CloseLink>) {
        self.closes.extend(closes);
        for (key, report) in older.reports {
            self.reports.entry(key).or_insert(report);
        }
        for (key, mut worker) in older.workers {
            let link = worker.sighting.own_link;
            let is_withdrawn = |link_id| self.disowned.contains(&disowned(&key, link_id));
            if link.is_some_and(is_withdrawn) {
                worker.sighting.own_link = None;
            }
            self.workers.entry(key).or_insert(worker);
        }
        for worker in older.disowned {
            let key = key_of(&worker);
            let owner = self.workers.get(&key).and_then(|w| w.sighting.own_link);
            if owner != Some(worker.link_id) && self.disowned.len() < WAITING_MAX {
                self.disowned.insert(worker);
            }
        }
        for (key, queue) in older.queues {
            self.queues.entry(key).or_insert(queue);
        }
        for (key, refused) in older.refusals {
            let count = refused.count;
            let known = self.refusals.entry(key);
            known
                .and_modify(|known| known.count += count)
                .or_insert(refused);
        }
        self.projects.extend(older.projects);
    }
}

pub(super) fn key_of(worker: &DisownedWorker) -> FleetKey {
    (
        worker.project_id,
        worker.engine.clone(),
        worker.name.clone(),
    )
}

pub(super) fn disowned((project_id, engine, name): &FleetKey, link_id: LinkId) -> DisownedWorker {
    DisownedWorker {
        project_id: *project_id,
        engine: engine.clone(),
        name: name.clone(),
        link_id,
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
pub(super) fn merge_worker(known: &mut SeenWorker, next: SeenWorker) {
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
