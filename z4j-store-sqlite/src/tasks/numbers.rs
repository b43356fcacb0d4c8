//! Counts, read from counters that move with the tasks.

use rusqlite::{Connection, params};
use z4j_core::id::ProjectId;
use z4j_core::store::{Facet, Facets, MinuteCount, StateCount};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::row;

pub(super) fn states(db: &Connection, project: ProjectId) -> Result<Vec<StateCount>, Fault> {
    let mut select = db.prepare_cached(
        "SELECT state, count FROM state_counts JOIN projects ON projects.key = project WHERE projects.id = ?1 AND count > 0",
    )?;
    let rows = select.query_map([project.as_bytes().as_slice()], |row| {
        Ok(StateCount {
            state: row::parse(row, "state")?,
            count: row::count(row, "count")?,
        })
    })?;
    let mut counts = rows.collect::<Result<Vec<_>, _>>()?;
    counts.sort_by_key(|count| count.state);
    Ok(counts)
}

pub(super) fn minutes(
    db: &Connection,
    project: ProjectId,
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<MinuteCount>, Fault> {
    let mut select = db.prepare_cached(
        "SELECT minute, state, count FROM minute_counts JOIN projects ON projects.key = project
         WHERE projects.id = ?1 AND minute >= ?2 AND minute < ?3 AND count > 0",
    )?;
    let bounds = params![
        project.as_bytes().as_slice(),
        since.floor_minute().as_micros(),
        until.as_micros()
    ];
    let rows = select.query_map(bounds, |row| {
        Ok(MinuteCount {
            minute: row::time(row, "minute")?,
            state: row::parse(row, "state")?,
            count: row::count(row, "count")?,
        })
    })?;
    let mut counts = rows.collect::<Result<Vec<_>, _>>()?;
    counts.sort_by_key(|count| (count.minute, count.state));
    Ok(counts)
}

pub(super) fn facets(db: &Connection, project: ProjectId, limit: u32) -> Result<Facets, Fault> {
    let of = |facet: &str| -> Result<Vec<Facet>, Fault> {
        let mut select = db.prepare_cached(
            "SELECT value, count FROM facet_counts JOIN projects ON projects.key = project
             WHERE projects.id = ?1 AND facet = ?2 AND count > 0 ORDER BY count DESC, value LIMIT ?3",
        )?;
        let rows = select.query_map(
            params![project.as_bytes().as_slice(), facet, limit],
            |row| {
                Ok(Facet {
                    value: row.get("value")?,
                    count: row::count(row, "count")?,
                })
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    Ok(Facets {
        names: of("name")?,
        queues: of("queue")?,
        workers: of("worker")?,
        engines: of("engine")?,
    })
}
