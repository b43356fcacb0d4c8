//! What can never be stored, kept for a person to look at, up to a bound.

use std::borrow::Cow;

use rusqlite::{Connection, params};
use z4j_core::id::{AgentId, EventId, ProjectId};
use z4j_core::limits::{QUARANTINE_EXCERPT_BYTES_MAX, QUARANTINE_ROWS_MAX};
use z4j_core::store::{EventOutcome, IngestBatch};

use crate::fault::Fault;

struct Frame<'b> {
    project: ProjectId,
    id: EventId,
    agent: AgentId,
    reason: &'b str,
    detail: Cow<'b, str>,
    excerpt: &'b [u8],
}

/// Keeps the poison of a batch; the same frame once.
pub(super) fn keep(
    db: &Connection,
    batch: &IngestBatch,
    outcomes: &[EventOutcome],
) -> Result<(), Fault> {
    let frames = batch.poison.iter().map(|frame| Frame {
        project: frame.project_id,
        id: frame.id,
        agent: frame.agent_id,
        reason: frame.reason,
        detail: Cow::Borrowed(&frame.detail),
        excerpt: frame.excerpt.get(),
    });
    let events = batch
        .events
        .iter()
        .zip(outcomes)
        .filter_map(|(event, outcome)| match outcome {
            EventOutcome::Poison(reason) => Some(Frame {
                project: event.project_id,
                id: event.id,
                agent: event.agent_id,
                reason,
                detail: Cow::Owned(format!("event {} of task {:?}", event.kind, event.task_id)),
                excerpt: event.data.get(),
            }),
            EventOutcome::Inserted | EventOutcome::Duplicate => None,
        });
    for frame in frames.chain(events) {
        keep_one(db, batch.received_at.as_micros(), &frame)?;
    }
    Ok(())
}

fn keep_one(db: &Connection, at: i64, frame: &Frame<'_>) -> Result<(), Fault> {
    let end = frame.excerpt.len().min(QUARANTINE_EXCERPT_BYTES_MAX);
    let mut insert = db.prepare_cached(
        "INSERT INTO quarantine (project_id, id, agent_id, reason, detail, excerpt, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?;
    let project = frame.project.as_bytes().as_slice();
    let inserted = insert.execute(params![
        project,
        frame.id.as_bytes().as_slice(),
        frame.agent.as_bytes().as_slice(),
        frame.reason,
        frame.detail,
        frame.excerpt.get(..end).unwrap_or_default(),
        at,
    ])?;
    if inserted > 0 {
        let mut trim = db.prepare_cached(
            "DELETE FROM quarantine WHERE key <= (
                 SELECT key FROM quarantine WHERE project_id = ?1 ORDER BY key DESC LIMIT 1 OFFSET ?2
             ) AND project_id = ?1",
        )?;
        trim.execute(params![project, QUARANTINE_ROWS_MAX])?;
    }
    Ok(())
}
