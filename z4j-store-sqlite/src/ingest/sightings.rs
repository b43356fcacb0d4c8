//! Workers and queues, as far as events of tasks speak of them.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use z4j_core::id::AgentId;
use z4j_core::store::IngestEvent;
use z4j_core::task::{TaskRecord, TaskState};
use z4j_core::time::Timestamp;

use crate::fault::Fault;

use super::merge::Slot;

type Name<'f> = (i64, &'f str, &'f str);

/// What a batch says of workers and queues, each once.
#[derive(Default)]
pub(super) struct Seen<'f> {
    workers: HashMap<Name<'f>, Worker>,
    queues: HashMap<Name<'f>, Queue>,
}

#[derive(Default)]
struct Worker {
    seen: Option<(Timestamp, AgentId)>,
    succeeded: i64,
    failed: i64,
}

#[derive(Default)]
struct Queue {
    seen_at: Option<Timestamp>,
    waiting: i64,
    running: i64,
}

impl<'f> Seen<'f> {
    /// Notes who is named in an event of a task. Seen when it happened, not when it came: a buffer that is sent an hour
    /// late does not show that its worker is there.
    pub(super) fn note(&mut self, project: i64, received_at: Timestamp, event: &'f IngestEvent) {
        let Some(task) = &event.task else { return };
        let at = event.occurred_at.min(received_at);
        if let Some(name) = event.worker.as_deref().or(task.facts.worker.as_deref()) {
            let worker = self
                .workers
                .entry((project, &event.engine, name))
                .or_default();
            if worker.seen.is_none_or(|(seen_at, _)| seen_at <= at) {
                worker.seen = Some((at, event.agent_id));
            }
        }
        if let Some(name) = event.queue.as_deref().or(task.facts.queue.as_deref()) {
            let queue = self
                .queues
                .entry((project, &event.engine, name))
                .or_default();
            queue.seen_at = queue.seen_at.max(Some(at));
        }
    }

    /// Notes that a record became another one.
    pub(super) fn count(
        &mut self,
        slot: &'f Slot<'_>,
        before: Option<&'f TaskRecord>,
        after: &'f TaskRecord,
    ) {
        if let Some(before) = before {
            self.add(slot, before, -1);
        }
        self.add(slot, after, 1);
    }

    fn add(&mut self, slot: &'f Slot<'_>, record: &'f TaskRecord, sign: i64) {
        let state = record.state();
        if let (Some(name), TaskState::Success | TaskState::Failure) = (record.worker(), state) {
            let worker = self
                .workers
                .entry((slot.project, slot.engine, name))
                .or_default();
            let sum = if state == TaskState::Success {
                &mut worker.succeeded
            } else {
                &mut worker.failed
            };
            *sum += sign;
        }
        if let (Some(name), TaskState::Received | TaskState::Retry | TaskState::Started) =
            (record.queue(), state)
        {
            let queue = self
                .queues
                .entry((slot.project, slot.engine, name))
                .or_default();
            let sum = if state == TaskState::Started {
                &mut queue.running
            } else {
                &mut queue.waiting
            };
            *sum += sign;
        }
    }

    pub(super) fn write(&self, db: &Connection, received_at: Timestamp) -> Result<(), Fault> {
        let mut workers = db.prepare_cached(
            "INSERT INTO workers (project, engine, name, online, last_seen_at, agent_id, succeeded, failed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (project, name, engine) DO UPDATE SET
                 online = iif(?4 AND ?5 > last_seen_at, 1, online),
                 agent_id = iif(?4 AND ?5 > last_seen_at, ?6, agent_id),
                 last_seen_at = iif(?4, max(?5, last_seen_at), last_seen_at),
                 succeeded = succeeded + ?7, failed = failed + ?8",
        )?;
        for ((project, engine, name), worker) in &self.workers {
            let (at, agent) = worker.seen.unwrap_or((received_at, AgentId::from_u128(0)));
            workers.execute(params![
                project,
                engine,
                name,
                worker.seen.is_some(),
                at.as_micros(),
                agent.as_bytes().as_slice(),
                worker.succeeded,
                worker.failed,
            ])?;
        }
        let mut queues = db.prepare_cached(
            "INSERT INTO queues (project, engine, name, last_seen_at, waiting, running) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (project, name, engine) DO UPDATE SET
                 last_seen_at = iif(?7, max(?4, last_seen_at), last_seen_at),
                 waiting = waiting + ?5, running = running + ?6",
        )?;
        for ((project, engine, name), queue) in &self.queues {
            let at = queue.seen_at.unwrap_or(received_at).as_micros();
            queues.execute(params![
                project,
                engine,
                name,
                at,
                queue.waiting,
                queue.running,
                queue.seen_at.is_some()
            ])?;
        }
        Ok(())
    }
}
