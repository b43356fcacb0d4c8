//! The events of one task.

use rusqlite::{Connection, OptionalExtension, Row, params};
use z4j_core::id::{AgentId, EventId, ProjectId, TaskKey};
use z4j_core::store::{EventRow, Page, PageRequest};
use z4j_core::task::EventKind;

use crate::fault::Fault;
use crate::{cursor, row};

/// `occurred_at`, `rank`, `key` of the last row.
type Position = (i64, i64, i64);

pub(super) const SELECT: &str = "SELECT id, kind, occurred_at, received_at, agent_id, worker, data, rank, key FROM events \
    WHERE task = ?1 AND (occurred_at, rank, key) > (?2, ?3, ?4) ORDER BY occurred_at, rank, key LIMIT ?5";

pub(super) fn read(
    db: &Connection,
    project: ProjectId,
    task: &TaskKey,
    page: &PageRequest,
) -> Result<Page<EventRow>, Fault> {
    let tag = cursor::query_tag(&("events", project, task))?;
    let start: Position = cursor::open(&tag, page.after.as_ref())?.unwrap_or((i64::MIN, 0, 0));
    let mut find = db.prepare_cached(
        "SELECT tasks.key FROM tasks JOIN projects ON projects.key = tasks.project
         WHERE projects.id = ?1 AND engine = ?2 AND task_id = ?3",
    )?;
    let key: Option<i64> = find
        .query_row(
            params![project.as_bytes().as_slice(), task.engine, task.task_id],
            |row| row.get(0),
        )
        .optional()?;
    let Some(key) = key else {
        return Ok(Page {
            items: Vec::new(),
            next: None,
        });
    };
    let mut select = db.prepare_cached(SELECT)?;
    let limit = i64::from(page.limit) + 1;
    let rows = select.query_map(params![key, start.0, start.1, start.2, limit], |row| {
        Ok((read_event(row)?, position(row)?))
    })?;
    let mut found = rows.collect::<Result<Vec<_>, _>>()?;
    let has_more = found.len() > page.limit as usize;
    found.truncate(page.limit as usize);
    let next = match found.last() {
        Some((_, last)) if has_more => Some(cursor::seal(&tag, last)?),
        _ => None,
    };
    Ok(Page {
        items: found.into_iter().map(|(event, _)| event).collect(),
        next,
    })
}

fn position(row: &Row<'_>) -> rusqlite::Result<Position> {
    Ok((row.get("occurred_at")?, row.get("rank")?, row.get("key")?))
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: row::id(row, "id", EventId::from_slice)?,
        kind: EventKind::parse(row.get_ref("kind")?.as_str()?),
        occurred_at: row::time(row, "occurred_at")?,
        received_at: row::time(row, "received_at")?,
        agent_id: row::id(row, "agent_id", AgentId::from_slice)?,
        worker: row.get("worker")?,
        data: row.get("data")?,
    })
}
