//! Task records: each read once, merged in memory, written once.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{IngestEvent, TaskChange, TaskSummary};
use z4j_core::task::{self, TaskRecord, Verdict};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::row;
use crate::writer::Tx;

use super::counters::Deltas;
use super::sightings::Seen;

const SELECT: &str = "SELECT key, created_at, retried_as, retry_of, record FROM tasks \
                      WHERE project = ?1 AND engine = ?2 AND task_id = ?3";

const INSERT: &str = "INSERT INTO tasks (state, state_at, name, queue, worker, priority, exception, exception_message, \
    retry_count, eta, sent_at, received_at, started_at, finished_at, runtime_ms, wait_ms, agent_id, parent_task_id, \
    root_task_id, retried_as, retry_of, tags, first_at, record, key, created_at, project, engine, task_id) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, \
    ?24, ?25, ?26, ?27, ?28, ?29)";

/// [`update`] adds the columns of indexes that seldom move.
const UPDATE_HEAD: &str = "UPDATE tasks SET state = ?1, state_at = ?2, name = ?3, queue = ?4, worker = ?5, priority = ?6, \
    exception = ?7, exception_message = ?8, retry_count = ?9, eta = ?10, sent_at = ?11, started_at = ?13, wait_ms = ?16, \
    agent_id = ?17, parent_task_id = ?18, tags = ?22, first_at = ?23, record = ?24";

/// The tasks of a batch.
#[derive(Default)]
pub(super) struct Fold<'b> {
    places: HashMap<(i64, &'b str, &'b str), usize>,
    slots: Vec<Slot<'b>>,
}

/// One task: as it is stored, and as it is after the batch.
pub(super) struct Slot<'b> {
    pub(super) project: i64,
    pub(super) engine: &'b str,
    project_id: ProjectId,
    task_id: &'b str,
    key: i64,
    stored: Option<Stored>,
    record: Option<TaskRecord>,
    is_changed: bool,
}

struct Stored {
    record: TaskRecord,
    created_at: Timestamp,
    links: Links,
}

#[derive(Default)]
struct Links {
    retried_as: Option<String>,
    retry_of: Option<String>,
}

impl<'b> Fold<'b> {
    /// The place of the event's task; `None` for an event that is not about a task.
    pub(super) fn slot(
        &mut self,
        tx: &mut Tx<'_>,
        project: i64,
        event: &'b IngestEvent,
    ) -> Result<Option<usize>, Fault> {
        if event.task.is_none() {
            return Ok(None);
        }
        let name = (project, &*event.engine, &*event.task_id);
        if let Some(place) = self.places.get(&name) {
            return Ok(Some(*place));
        }
        let found = find(tx.db, project, name.1, name.2)?;
        let (key, stored) = match found {
            Some((key, stored)) => (key, Some(stored)),
            None => (next_key(tx)?, None),
        };
        self.slots.push(Slot {
            project,
            engine: name.1,
            project_id: event.project_id,
            task_id: name.2,
            key,
            record: stored.as_ref().map(|stored| stored.record.clone()),
            stored,
            is_changed: false,
        });
        let place = self.slots.len() - 1;
        self.places.insert(name, place);
        Ok(Some(place))
    }

    /// The key of the task at a place that [`Self::slot`] gave.
    pub(super) fn key(&self, place: usize) -> i64 {
        self.slots.get(place).map_or(0, |slot| slot.key)
    }

    /// Merges an inserted event into the record at its place.
    pub(super) fn apply(&mut self, place: usize, event: &IngestEvent) {
        let (Some(slot), Some(task_event)) = (self.slots.get_mut(place), &event.task) else {
            return;
        };
        if let Verdict::Advance(record) = task::apply(slot.record.as_ref(), task_event) {
            slot.record = Some(record);
            slot.is_changed = true;
        }
    }
}

fn find(
    db: &Connection,
    project: i64,
    engine: &str,
    task_id: &str,
) -> Result<Option<(i64, Stored)>, Fault> {
    let mut select = db.prepare_cached(SELECT)?;
    let mut rows = select.query(params![project, engine, task_id])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let bytes = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
    let record = TaskRecord::decode(bytes).map_err(|error| Fault::Corrupt(error.to_string()))?;
    let stored = Stored {
        record,
        created_at: Timestamp::from_micros(row.get(1)?),
        links: Links {
            retried_as: row.get(2)?,
            retry_of: row.get(3)?,
        },
    };
    Ok(Some((row.get(0)?, stored)))
}

fn next_key(tx: &mut Tx<'_>) -> Result<i64, Fault> {
    let key = match tx.memory.next_task {
        Some(key) => key,
        None => {
            let last: i64 =
                tx.db
                    .query_row("SELECT coalesce(max(key), 0) FROM tasks", [], |row| {
                        row.get(0)
                    })?;
            last + 1
        }
    };
    tx.memory.next_task = Some(key + 1);
    Ok(key)
}

/// Writes the tasks that changed, and notes what that does to counters.
pub(super) fn write<'f>(
    db: &Connection,
    received_at: Timestamp,
    fold: &'f Fold<'_>,
    deltas: &mut Deltas<'f>,
    seen: &mut Seen<'f>,
) -> Result<Vec<TaskChange>, Fault> {
    let mut changes = Vec::new();
    for slot in fold.slots.iter().filter(|slot| slot.is_changed) {
        let Some(record) = &slot.record else { continue };
        let before = slot.stored.as_ref().map(|stored| &stored.record);
        let summary = write_one(db, received_at, slot, record)?;
        deltas.note(slot, before, record);
        seen.count(slot, before, record);
        changes.push(TaskChange {
            project_id: slot.project_id,
            task: summary,
            transition: task::transition(before, record),
        });
    }
    Ok(changes)
}

fn write_one(
    db: &Connection,
    received_at: Timestamp,
    slot: &Slot<'_>,
    record: &TaskRecord,
) -> Result<TaskSummary, Fault> {
    let created_at = slot
        .stored
        .as_ref()
        .map_or(received_at, |stored| stored.created_at);
    let key = TaskKey::new(slot.engine, slot.task_id);
    let mut summary = TaskSummary::from_record(key, record, created_at);
    let links = match &slot.stored {
        Some(stored) => Links {
            retried_as: stored.links.retried_as.clone(),
            retry_of: stored.links.retry_of.clone(),
        },
        None => links_of_new(db, slot)?,
    };
    summary.retried_as = links.retried_as;
    summary.retry_of = links.retry_of;
    let mut statement = match &slot.stored {
        Some(stored) => db.prepare_cached(&update(&stored.record, record))?,
        None => db.prepare_cached(INSERT)?,
    };
    bind_summary(&mut statement, &summary)?;
    statement.raw_bind_parameter(23, record.view().first_seen.as_micros())?;
    statement.raw_bind_parameter(24, record.encode())?;
    statement.raw_bind_parameter(25, slot.key)?;
    if slot.stored.is_none() {
        statement.raw_bind_parameter(26, created_at.as_micros())?;
        statement.raw_bind_parameter(27, slot.project)?;
        statement.raw_bind_parameter(28, slot.engine)?;
        statement.raw_bind_parameter(29, slot.task_id)?;
    }
    statement.raw_execute()?;
    Ok(summary)
}

/// The update that leaves alone what did not change, because each column of an index costs its rewriting.
fn update(before: &TaskRecord, after: &TaskRecord) -> String {
    let (before, after) = (before.view(), after.view());
    let mut sql = String::with_capacity(UPDATE_HEAD.len() + 100);
    sql.push_str(UPDATE_HEAD);
    if before.received_at != after.received_at {
        sql.push_str(", received_at = ?12");
    }
    if before.finished_at != after.finished_at {
        sql.push_str(", finished_at = ?14");
    }
    if before.runtime_ms != after.runtime_ms {
        sql.push_str(", runtime_ms = ?15");
    }
    if before.root_task_id != after.root_task_id {
        sql.push_str(", root_task_id = ?19");
    }
    sql.push_str(" WHERE key = ?25");
    sql
}

fn bind_summary(statement: &mut rusqlite::Statement<'_>, task: &TaskSummary) -> Result<(), Fault> {
    let time = |at: Option<Timestamp>| at.map(Timestamp::as_micros);
    statement.raw_bind_parameter(1, task.state.as_str())?;
    statement.raw_bind_parameter(2, task.state_at.as_micros())?;
    statement.raw_bind_parameter(3, task.name.as_deref())?;
    statement.raw_bind_parameter(4, task.queue.as_deref())?;
    statement.raw_bind_parameter(5, task.worker.as_deref())?;
    statement.raw_bind_parameter(6, task.priority.as_deref())?;
    statement.raw_bind_parameter(7, task.exception.as_deref())?;
    statement.raw_bind_parameter(8, task.exception_message.as_deref())?;
    statement.raw_bind_parameter(9, task.retry_count)?;
    statement.raw_bind_parameter(10, time(task.eta))?;
    statement.raw_bind_parameter(11, time(task.sent_at))?;
    statement.raw_bind_parameter(12, time(task.received_at))?;
    statement.raw_bind_parameter(13, time(task.started_at))?;
    statement.raw_bind_parameter(14, time(task.finished_at))?;
    statement.raw_bind_parameter(15, task.runtime_ms.map(row::signed))?;
    statement.raw_bind_parameter(16, task.wait_ms.map(row::signed))?;
    statement.raw_bind_parameter(
        17,
        task.agent_id.as_ref().map(|id| id.as_bytes().as_slice()),
    )?;
    statement.raw_bind_parameter(18, task.parent_task_id.as_deref())?;
    statement.raw_bind_parameter(19, task.root_task_id.as_deref())?;
    statement.raw_bind_parameter(20, task.retried_as.as_deref())?;
    statement.raw_bind_parameter(21, task.retry_of.as_deref())?;
    let tags = if task.tags.is_empty() {
        None
    } else {
        Some(row::json_text(&task.tags)?)
    };
    statement.raw_bind_parameter(22, tags)?;
    Ok(())
}

/// A retry may have been linked before the first event of either task came in.
fn links_of_new(db: &Connection, slot: &Slot<'_>) -> Result<Links, Fault> {
    let name = params![slot.project, slot.engine, slot.task_id];
    let mut original = db.prepare_cached(
        "SELECT original FROM task_links WHERE project = ?1 AND engine = ?2 AND retry = ?3",
    )?;
    let mut retry = db.prepare_cached(
        "SELECT retry FROM task_links WHERE project = ?1 AND engine = ?2 AND original = ?3 ORDER BY at DESC LIMIT 1",
    )?;
    Ok(Links {
        retry_of: original.query_row(name, |row| row.get(0)).optional()?,
        retried_as: retry.query_row(name, |row| row.get(0)).optional()?,
    })
}
