//! Queues, as far as agents name them.

use rusqlite::{Connection, params};
use z4j_core::id::ProjectId;
use z4j_core::store::{QueueRow, QueueSighting};

use crate::fault::Fault;
use crate::row;

pub(super) fn all(db: &Connection, project: ProjectId) -> Result<Vec<QueueRow>, Fault> {
    let mut select = db.prepare_cached(
        "SELECT queues.* FROM queues JOIN projects ON projects.key = queues.project
         WHERE projects.id = ?1 ORDER BY queues.name, queues.engine",
    )?;
    let rows = select.query_map([project.as_bytes().as_slice()], |row| {
        Ok(QueueRow {
            project_id: project,
            engine: row.get("engine")?,
            name: row.get("name")?,
            depth: row::count_opt(row, "depth")?,
            depth_at: row::time_opt(row, "depth_at")?,
            last_seen_at: row::time(row, "last_seen_at")?,
            waiting: row::count(row, "waiting")?,
            running: row::count(row, "running")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes a sighting; an older measure than the latest is passed over.
pub(super) fn see(db: &Connection, project: i64, seen: &QueueSighting) -> Result<(), Fault> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO queues (project, engine, name, depth, depth_at, last_seen_at)
         VALUES (?1, ?2, ?3, ?4, iif(?4 IS NULL, NULL, ?5), ?5)
         ON CONFLICT (project, name, engine) DO UPDATE SET
             depth = iif(?4 IS NOT NULL AND coalesce(depth_at, ?5) <= ?5, ?4, depth),
             depth_at = iif(?4 IS NOT NULL AND coalesce(depth_at, ?5) <= ?5, ?5, depth_at),
             last_seen_at = max(last_seen_at, ?5)",
    )?;
    upsert.execute(params![
        project,
        seen.engine,
        seen.name,
        seen.depth.map(row::signed),
        seen.at.as_micros()
    ])?;
    Ok(())
}
