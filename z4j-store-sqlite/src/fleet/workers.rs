//! Workers: online while they are seen or their process is connected.

use rusqlite::{Connection, Row, ToSql, params};
use z4j_core::id::{AgentId, LinkId, ProjectId, ReplicaId};
use z4j_core::store::{DisownedWorker, WorkerOwner, WorkerRow, WorkerSighting, WorkerState};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::row;

const SELECT: &str = "SELECT workers.*, projects.id AS project_id FROM workers JOIN projects ON projects.key = workers.project";

/// Workers that are silent, and whose own process, if it is known, is not connected.
const SILENT: &str = "WHERE online = 1 AND last_seen_at < ?1 \
                      AND (own_link IS NULL OR NOT EXISTS (SELECT 1 FROM links WHERE links.id = own_link))";

pub(super) fn all(db: &Connection, project: ProjectId) -> Result<Vec<WorkerRow>, Fault> {
    let project = project.as_bytes().as_slice();
    select(
        db,
        "WHERE projects.id = ?1 ORDER BY workers.name, workers.engine",
        &[&project],
    )
}

pub(super) fn select(
    db: &Connection,
    condition: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<WorkerRow>, Fault> {
    let mut select = db.prepare_cached(&format!("{SELECT} {condition}"))?;
    let rows = select.query_map(values, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The workers whose own link is open.
pub(super) fn owners(db: &Connection, project: ProjectId) -> Result<Vec<WorkerOwner>, Fault> {
    let mut select = db.prepare_cached(
        "SELECT workers.engine, workers.name, links.id, links.replica_id, links.started_at
         FROM workers JOIN projects ON projects.key = workers.project JOIN links ON links.id = workers.own_link
         WHERE projects.id = ?1",
    )?;
    let rows = select.query_map([project.as_bytes().as_slice()], |row| {
        Ok(WorkerOwner {
            engine: row.get("engine")?,
            name: row.get("name")?,
            link_id: row::id(row, "id", LinkId::from_slice)?,
            replica: row::id(row, "replica_id", ReplicaId::from_slice)?,
            started_at: row::time_opt(row, "started_at")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<WorkerRow> {
    Ok(WorkerRow {
        project_id: row::id(row, "project_id", ProjectId::from_slice)?,
        engine: row.get("engine")?,
        name: row.get("name")?,
        state: if row.get("online")? {
            WorkerState::Online
        } else {
            WorkerState::Offline
        },
        last_seen_at: row::time(row, "last_seen_at")?,
        agent_id: row::id(row, "agent_id", AgentId::from_slice)?,
        pid: row.get("pid")?,
        concurrency: row.get("concurrency")?,
        active: row.get("active")?,
        queues: row::json(row, "queues")?,
        details: row.get("details")?,
        succeeded: row::count(row, "succeeded")?,
        failed: row::count(row, "failed")?,
    })
}

pub(super) const fn mark_offline(worker: &mut WorkerRow) {
    worker.state = WorkerState::Offline;
}

pub(super) fn sweep(db: &Connection, silent_since: Timestamp) -> Result<Vec<WorkerRow>, Fault> {
    let since = silent_since.as_micros();
    let mut gone = select(db, SILENT, &[&since])?;
    if !gone.is_empty() {
        db.prepare_cached(&format!("UPDATE workers SET online = 0 {SILENT}"))?
            .execute([since])?;
    }
    gone.iter_mut().for_each(mark_offline);
    Ok(gone)
}

/// Takes a sighting. Whether the worker is there follows the latest sighting, what it is like the latest description: an event
/// that names a busy worker says nothing of its pool, and must not make the heartbeat that does look outdated.
pub(super) fn see(db: &Connection, project: i64, seen: &WorkerSighting) -> Result<(), Fault> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO workers (project, engine, name, online, last_seen_at, agent_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (project, name, engine) DO UPDATE SET online = ?4, last_seen_at = ?5, agent_id = ?6
         WHERE last_seen_at <= ?5",
    )?;
    upsert.execute(params![
        project,
        seen.engine,
        seen.name,
        !seen.stopping,
        seen.at.as_micros(),
        seen.agent_id.as_bytes().as_slice(),
    ])?;
    if seen.is_description() {
        describe(db, project, seen)?;
    }
    if let Some(link) = seen.own_link {
        claim(db, project, seen, link)?;
    }
    Ok(())
}

/// Whose process a worker is does not grow old with a description: it counts as long as no other open link claims the worker.
fn claim(db: &Connection, project: i64, seen: &WorkerSighting, link: LinkId) -> Result<(), Fault> {
    let mut update = db.prepare_cached(
        "UPDATE workers SET own_link = ?5
         WHERE project = ?1 AND name = ?2 AND engine = ?3 AND described_at > ?4
           AND (own_link IS NULL OR NOT EXISTS (SELECT 1 FROM links WHERE links.id = own_link))
           AND EXISTS (SELECT 1 FROM links WHERE links.id = ?5)",
    )?;
    update.execute(params![
        project,
        seen.name,
        seen.engine,
        seen.at.as_micros(),
        link.as_bytes().as_slice(),
    ])?;
    Ok(())
}

/// From here on the worker is there only as long as somebody sees it.
pub(super) fn disown(db: &Connection, project: i64, worker: &DisownedWorker) -> Result<(), Fault> {
    let mut update = db.prepare_cached(
        "UPDATE workers SET own_link = NULL WHERE project = ?1 AND name = ?2 AND engine = ?3 AND own_link = ?4",
    )?;
    update.execute(params![
        project,
        worker.name,
        worker.engine,
        worker.link_id.as_bytes().as_slice(),
    ])?;
    Ok(())
}

fn describe(db: &Connection, project: i64, seen: &WorkerSighting) -> Result<(), Fault> {
    let queues = seen.queues.as_ref().map(row::json_text).transpose()?;
    let mut update = db.prepare_cached(
        "UPDATE workers SET own_link = coalesce(?5, own_link), pid = coalesce(?6, pid),
             concurrency = coalesce(?7, concurrency), active = coalesce(?8, active),
             queues = coalesce(?9, queues), details = coalesce(?10, details), described_at = ?4
         WHERE project = ?1 AND name = ?2 AND engine = ?3 AND coalesce(described_at, ?4) <= ?4",
    )?;
    update.execute(params![
        project,
        seen.name,
        seen.engine,
        seen.at.as_micros(),
        seen.own_link.as_ref().map(|id| id.as_bytes().as_slice()),
        seen.pid,
        seen.concurrency,
        seen.active,
        queues,
        seen.details,
    ])?;
    Ok(())
}
