//! Event rows: each once.

use rusqlite::{CachedStatement, params};
use z4j_core::store::{EventOutcome, IngestBatch, IngestEvent, timeline_rank};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::writer::Tx;

use super::merge::Fold;
use super::sightings::Seen;

const INSERT: &str = "INSERT INTO events (project, id, task, occurred_at, rank, kind, sent_at, received_at, agent_id, \
                      engine, worker, queue, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
                      ON CONFLICT DO NOTHING";

/// Inserts what is new, and merges each inserted event into its task's record.
pub(super) fn all<'b>(
    tx: &mut Tx<'_>,
    batch: &'b IngestBatch,
    fold: &mut Fold<'b>,
    seen: &mut Seen<'b>,
) -> Result<Vec<EventOutcome>, Fault> {
    let db = tx.db;
    let mut insert = db.prepare_cached(INSERT)?;
    let mut outcomes = Vec::with_capacity(batch.events.len());
    for event in &batch.events {
        outcomes.push(match checked(tx, event)? {
            Ok((project, data)) => {
                let slot = fold.slot(tx, project, event)?;
                let task = slot.map(|slot| fold.key(slot));
                match one(&mut insert, batch.received_at, project, task, data, event)? {
                    EventOutcome::Inserted => {
                        if let Some(slot) = slot {
                            fold.apply(slot, event);
                        }
                        seen.note(project, batch.received_at, event);
                        EventOutcome::Inserted
                    }
                    other => other,
                }
            }
            Err(reason) => EventOutcome::Poison(reason),
        });
    }
    Ok(outcomes)
}

/// The project's key and the data as text, or why the event can never be stored.
fn checked<'b>(
    tx: &mut Tx<'_>,
    event: &'b IngestEvent,
) -> Result<Result<(i64, &'b str), &'static str>, Fault> {
    let Some(project) = tx.project(event.project_id)? else {
        return Ok(Err("unknown_project"));
    };
    let Ok(data) = std::str::from_utf8(event.data.get()) else {
        return Ok(Err("not_text"));
    };
    Ok(match &event.task {
        Some(_) if event.task_id.is_empty() => Err("no_task_id"),
        Some(task) if !task.kind.may_concern_task() => Err("not_about_a_task"),
        _ => Ok((project, data)),
    })
}

fn one(
    insert: &mut CachedStatement<'_>,
    received_at: Timestamp,
    project: i64,
    task: Option<i64>,
    data: &str,
    event: &IngestEvent,
) -> Result<EventOutcome, Fault> {
    let inserted = insert.execute(params![
        project,
        event.id.as_bytes().as_slice(),
        task,
        event.occurred_at.as_micros(),
        timeline_rank(&event.kind),
        event.kind.as_str(),
        (event.sent_at != event.occurred_at).then(|| event.sent_at.as_micros()),
        received_at.as_micros(),
        event.agent_id.as_bytes().as_slice(),
        &*event.engine,
        event.worker.as_deref(),
        event.queue.as_deref(),
        data,
    ]);
    match inserted {
        Ok(0) => Ok(EventOutcome::Duplicate),
        Ok(_) => Ok(EventOutcome::Inserted),
        Err(error) if Fault::is_of_the_row(&error) => {
            Ok(EventOutcome::Poison("refused_by_database"))
        }
        Err(error) => Err(error.into()),
    }
}
