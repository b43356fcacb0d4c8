//! Workers and queues, as far as events of tasks name them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use tokio_postgres::types::Type;
use uuid::Uuid;
use z4j_core::id::AgentId;
use z4j_core::store::IngestEvent;
use z4j_core::time::Timestamp;

use super::intake::Intake;
use super::lane::{Lane, Statement};
use crate::fault::Fault;
use crate::text;

/// A sighting that is not this much later than the last one written is not worth writing: rows of busy workers would be
/// written by every batch, and brains would wait for each other.
const WORTH_WRITING_MICROS: i64 = 1_000_000;
/// Names that are remembered; beyond that memory starts anew, which costs some writes.
const REMEMBERED_MAX: usize = 50_000;

pub(super) const WORKERS: Statement = Statement {
    sql: "INSERT INTO workers (project_id, engine, name, online, last_seen_at, agent_id)
          SELECT project_id, engine, name, true, seen_at, agent_id
          FROM unnest($1, $2, $3, $4, $5) AS seen (project_id, engine, name, seen_at, agent_id)
          ON CONFLICT (project_id, name, engine) DO UPDATE
          SET online = true, last_seen_at = excluded.last_seen_at, agent_id = excluded.agent_id
          WHERE excluded.last_seen_at > workers.last_seen_at",
    types: &[
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::UUID_ARRAY,
    ],
};

pub(super) const QUEUES: Statement = Statement {
    sql: "INSERT INTO queues (project_id, engine, name, last_seen_at)
          SELECT project_id, engine, name, seen_at
          FROM unnest($1, $2, $3, $4) AS seen (project_id, engine, name, seen_at)
          ON CONFLICT (project_id, name, engine) DO UPDATE SET last_seen_at = excluded.last_seen_at
          WHERE excluded.last_seen_at > queues.last_seen_at",
    types: &[
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
    ],
};

/// Project, name, engine: the order in which rows are locked.
type Name<'b> = (Uuid, &'b str, &'b str);

/// What a batch says of workers and queues, each once.
#[derive(Default)]
pub(super) struct Seen<'b> {
    workers: BTreeMap<Name<'b>, (Timestamp, AgentId)>,
    queues: BTreeMap<Name<'b>, Timestamp>,
}

/// What this store wrote last of each, so that it need not ask.
#[derive(Default)]
pub(super) struct Remembered {
    names: Mutex<HashMap<(Uuid, bool, String, String), Timestamp>>,
}

impl<'b> Seen<'b> {
    /// Who is named in the events that were inserted.
    pub(super) fn new(intake: &Intake<'b>) -> Self {
        let mut seen = Self::default();
        for event in intake.inserted() {
            seen.note(intake.batch.received_at, event);
        }
        seen
    }

    /// Seen when it happened, not when it came: a buffer that is sent an hour late does not show that its worker is there.
    fn note(&mut self, received_at: Timestamp, event: &'b IngestEvent) {
        let Some(task) = &event.task else { return };
        let at = event.occurred_at.min(received_at);
        let project = *event.project_id.as_uuid();
        if let Some(name) = event.worker.as_deref().or(task.facts.worker.as_deref()) {
            let last = self
                .workers
                .entry((project, name, &event.engine))
                .or_insert((at, event.agent_id));
            if last.0 <= at {
                *last = (at, event.agent_id);
            }
        }
        if let Some(name) = event.queue.as_deref().or(task.facts.queue.as_deref()) {
            let last = self
                .queues
                .entry((project, name, &event.engine))
                .or_insert(at);
            *last = at.max(*last);
        }
    }

    /// Leaves out what says nothing that this store did not write moments ago.
    pub(super) fn without(mut self, remembered: &Remembered) -> Self {
        let names = remembered
            .names
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_news = |is_worker, (project, name, engine): &Name<'_>, at: Timestamp| {
            let known = names.get(&(
                *project,
                is_worker,
                (*name).to_owned(),
                (*engine).to_owned(),
            ));
            known.is_none_or(|known| at.as_micros() - known.as_micros() > WORTH_WRITING_MICROS)
        };
        self.workers
            .retain(|name, (at, _)| is_news(true, name, *at));
        self.queues.retain(|name, at| is_news(false, name, *at));
        self
    }

    /// Notes what a commit made durable.
    pub(super) fn remember(&self, remembered: &Remembered) {
        let mut names = remembered
            .names
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let workers = self.workers.iter().map(|(name, (at, _))| (true, name, *at));
        let queues = self.queues.iter().map(|(name, at)| (false, name, *at));
        for (is_worker, (project, name, engine), at) in workers.chain(queues) {
            if names.len() >= REMEMBERED_MAX {
                names.clear();
            }
            let key = (
                *project,
                is_worker,
                (*name).to_owned(),
                (*engine).to_owned(),
            );
            let known = names.entry(key).or_insert(at);
            *known = at.max(*known);
        }
    }

    pub(super) async fn write_workers(&self, lane: &Lane) -> Result<(), Fault> {
        if self.workers.is_empty() {
            return Ok(());
        }
        let (projects, engines, names) = columns(self.workers.keys());
        let times: Vec<i64> = self
            .workers
            .values()
            .map(|(at, _)| at.as_micros())
            .collect();
        let agents: Vec<Uuid> = self
            .workers
            .values()
            .map(|(_, agent)| *agent.as_uuid())
            .collect();
        lane.query(&WORKERS, &[&projects, &engines, &names, &times, &agents])
            .await?;
        Ok(())
    }

    pub(super) async fn write_queues(&self, lane: &Lane) -> Result<(), Fault> {
        if self.queues.is_empty() {
            return Ok(());
        }
        let (projects, engines, names) = columns(self.queues.keys());
        let times: Vec<i64> = self.queues.values().map(|at| at.as_micros()).collect();
        lane.query(&QUEUES, &[&projects, &engines, &names, &times])
            .await?;
        Ok(())
    }
}

type Columns<'n> = (
    Vec<Uuid>,
    Vec<std::borrow::Cow<'n, str>>,
    Vec<std::borrow::Cow<'n, str>>,
);

fn columns<'n>(names: impl Iterator<Item = &'n Name<'n>> + Clone) -> Columns<'n> {
    (
        names.clone().map(|(project, _, _)| *project).collect(),
        names
            .clone()
            .map(|(_, _, engine)| text::put(engine))
            .collect(),
        names.map(|(_, name, _)| text::put(name)).collect(),
    )
}
