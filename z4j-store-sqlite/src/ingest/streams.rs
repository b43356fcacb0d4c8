//! Resumable streams: where each stands, and what of it was declared lost.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use z4j_core::id::{AgentId, StreamId};
use z4j_core::limits::STREAMS_PER_AGENT_MAX;
use z4j_core::store::{StreamGap, StreamKey, StreamSegment};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::row;
use crate::writer::Tx;

/// Moves the streams of a batch.
pub(super) fn advance(
    tx: &mut Tx<'_>,
    segments: &[StreamSegment],
    at: Timestamp,
) -> Result<(), Fault> {
    let mut positions: BTreeMap<StreamKey, (i64, u64)> = BTreeMap::new();
    let mut began = BTreeSet::new();
    for segment in segments {
        let (project, position) = match positions.get(&segment.key) {
            Some(known) => *known,
            None => {
                // Events of a project that does not exist are poison; it has no streams either.
                let Some(project) = tx.project(segment.key.project_id)? else {
                    continue;
                };
                let found = find(tx.db, project, &segment.key)?;
                if found.is_none() {
                    begin(tx.db, project, &segment.key, at)?;
                    began.insert(segment.key.agent_id);
                }
                (project, found.unwrap_or(0))
            }
        };
        let beyond = segment.beyond(position)?;
        if let (Some((first, last)), Some(reason)) = (beyond, &segment.gap) {
            keep_gap(tx.db, project, &segment.key, (first, last), reason, at)?;
        }
        let position = beyond.map_or(position, |(_, last)| last);
        positions.insert(segment.key, (project, position));
    }
    let mut update = tx.db.prepare_cached(
        "UPDATE streams SET position = ?4, at = max(at, ?5)
         WHERE project = ?1 AND agent_id = ?2 AND stream_id = ?3",
    )?;
    for (key, (project, position)) in &positions {
        let (agent, stream) = (key.agent_id.as_bytes(), key.stream_id.as_bytes());
        update.execute(params![
            project,
            agent.as_slice(),
            stream.as_slice(),
            row::signed(*position),
            at.as_micros()
        ])?;
    }
    let of_batch: BTreeSet<StreamId> = positions.keys().map(|key| key.stream_id).collect();
    for agent in began {
        trim(tx.db, agent, &of_batch)?;
    }
    Ok(())
}

fn find(db: &Connection, project: i64, key: &StreamKey) -> Result<Option<u64>, Fault> {
    let mut select = db.prepare_cached(
        "SELECT position FROM streams WHERE project = ?1 AND agent_id = ?2 AND stream_id = ?3",
    )?;
    let (agent, stream) = (key.agent_id.as_bytes(), key.stream_id.as_bytes());
    let found = select.query_row(
        params![project, agent.as_slice(), stream.as_slice()],
        |row| row::count(row, "position"),
    );
    Ok(found.optional()?)
}

/// Makes the row of a new stream.
fn begin(db: &Connection, project: i64, key: &StreamKey, at: Timestamp) -> Result<(), Fault> {
    let (agent, stream) = (key.agent_id.as_bytes(), key.stream_id.as_bytes());
    let mut insert = db.prepare_cached(
        "INSERT INTO streams (project, agent_id, stream_id, position, at) VALUES (?1, ?2, ?3, 0, ?4)",
    )?;
    insert.execute(params![
        project,
        agent.as_slice(),
        stream.as_slice(),
        at.as_micros()
    ])?;
    Ok(())
}

/// An agent that has too many streams loses those that moved longest ago, never one of the batch.
fn trim(db: &Connection, agent: AgentId, of_batch: &BTreeSet<StreamId>) -> Result<(), Fault> {
    let mut oldest = db.prepare_cached(
        "SELECT project, stream_id FROM streams WHERE agent_id = ?1 AND at <= (
             SELECT at FROM streams WHERE agent_id = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2
         )",
    )?;
    let agent = agent.as_bytes().as_slice();
    let oldest: Vec<(i64, StreamId)> = oldest
        .query_map(params![agent, STREAMS_PER_AGENT_MAX], |row| {
            let stream = row::id(row, "stream_id", StreamId::from_slice)?;
            Ok((row.get("project")?, stream))
        })?
        .collect::<Result<_, _>>()?;
    let mut forget = db.prepare_cached(
        "DELETE FROM streams WHERE project = ?1 AND agent_id = ?2 AND stream_id = ?3",
    )?;
    for (project, stream) in oldest {
        if !of_batch.contains(&stream) {
            forget.execute(params![project, agent, stream.as_bytes().as_slice()])?;
        }
    }
    Ok(())
}

fn keep_gap(
    db: &Connection,
    project: i64,
    key: &StreamKey,
    (first, last): (u64, u64),
    reason: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    let mut insert = db.prepare_cached(
        "INSERT INTO stream_gaps (project, agent_id, stream_id, first_position, last_position, reason, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute(params![
        project,
        key.agent_id.as_bytes().as_slice(),
        key.stream_id.as_bytes().as_slice(),
        row::signed(first),
        row::signed(last),
        reason,
        at.as_micros()
    ])?;
    Ok(())
}

/// Up to which position nothing is missing; 0 for an unknown stream.
pub(super) fn position(db: &Connection, key: &StreamKey) -> Result<u64, Fault> {
    let mut select = db.prepare_cached(
        "SELECT position FROM streams JOIN projects ON projects.key = streams.project
         WHERE projects.id = ?1 AND agent_id = ?2 AND stream_id = ?3",
    )?;
    let found = select.query_row(
        params![
            key.project_id.as_bytes().as_slice(),
            key.agent_id.as_bytes().as_slice(),
            key.stream_id.as_bytes().as_slice()
        ],
        |row| row::count(row, "position"),
    );
    Ok(found.optional()?.unwrap_or(0))
}

/// What was declared lost, in order.
pub(super) fn gaps(db: &Connection, key: &StreamKey, limit: u32) -> Result<Vec<StreamGap>, Fault> {
    let mut select = db.prepare_cached(
        "SELECT first_position, last_position, reason FROM stream_gaps
         JOIN projects ON projects.key = stream_gaps.project
         WHERE projects.id = ?1 AND agent_id = ?2 AND stream_id = ?3 ORDER BY first_position LIMIT ?4",
    )?;
    let rows = select.query_map(
        params![
            key.project_id.as_bytes().as_slice(),
            key.agent_id.as_bytes().as_slice(),
            key.stream_id.as_bytes().as_slice(),
            limit
        ],
        |row| {
            Ok(StreamGap {
                first: row::count(row, "first_position")?,
                last: row::count(row, "last_position")?,
                reason: row.get("reason")?,
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}
