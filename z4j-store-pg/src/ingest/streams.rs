//! Resumable streams: where each stands, and what of it was declared lost.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;
use uuid::Uuid;
use z4j_core::limits::STREAMS_PER_AGENT_MAX;
use z4j_core::store::{StreamGap, StreamHole, StreamKey, StreamSegment};
use z4j_core::time::Timestamp;

use super::lane::{Lane, Statement};
use crate::db::Db;
use crate::fault::Fault;
use crate::row::{self, signed};
use crate::text;

/// Answers the streams that were unknown.
pub(super) const BEGIN: Statement = Statement {
    sql: "INSERT INTO streams (project_id, agent_id, stream_id, position, at)
          SELECT project_id, agent_id, stream_id, 0, $4 FROM unnest($1, $2, $3) AS named (project_id, agent_id, stream_id)
          ON CONFLICT DO NOTHING RETURNING agent_id",
    types: &[Type::UUID_ARRAY, Type::UUID_ARRAY, Type::UUID_ARRAY, Type::INT8],
};

/// An agent that has too many streams loses those that moved longest ago, never one of this batch. Answers which.
pub(super) const TRIM: Statement = Statement {
    sql: "DELETE FROM streams WHERE project_id = ANY ($3) AND agent_id = $1 AND stream_id <> ALL ($2) AND at <= (
              SELECT at FROM streams WHERE project_id = ANY ($3) AND agent_id = $1 ORDER BY at DESC LIMIT 1 OFFSET $4
          ) RETURNING stream_id",
    types: &[Type::UUID, Type::UUID_ARRAY, Type::UUID_ARRAY, Type::INT8],
};

/// What was declared of streams that an agent lost: if it comes back, it declares it again. A statement of its own, because Citus
/// takes no change inside of another one that concerns several projects.
pub(super) const DROP_GAPS: Statement = Statement {
    sql: "DELETE FROM stream_gaps WHERE project_id = ANY ($3) AND agent_id = $1 AND stream_id = ANY ($2)",
    types: &[Type::UUID, Type::UUID_ARRAY, Type::UUID_ARRAY],
};

pub(super) const LOCK: Statement = Statement {
    sql: "SELECT s.project_id, s.agent_id, s.stream_id, s.position
          FROM unnest($1, $2, $3) AS named (project_id, agent_id, stream_id)
          JOIN streams s USING (project_id, agent_id, stream_id)
          ORDER BY s.project_id, s.agent_id, s.stream_id FOR UPDATE OF s",
    types: &[Type::UUID_ARRAY, Type::UUID_ARRAY, Type::UUID_ARRAY],
};

pub(super) const MOVE: Statement = Statement {
    sql: "UPDATE streams s SET position = n.position, at = greatest(s.at, $5)
          FROM unnest($1, $2, $3, $4) AS n (project_id, agent_id, stream_id, position)
          WHERE s.project_id = n.project_id AND s.agent_id = n.agent_id AND s.stream_id = n.stream_id",
    types: &[
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8,
    ],
};

pub(super) const KEEP_GAPS: Statement = Statement {
    sql: "INSERT INTO stream_gaps (project_id, agent_id, stream_id, first_position, last_position, reason, at)
          SELECT project_id, agent_id, stream_id, first_position, last_position, reason, $7
          FROM unnest($1, $2, $3, $4, $5, $6)
              AS lost (project_id, agent_id, stream_id, first_position, last_position, reason)",
    types: &[
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8,
    ],
};

/// Keeps an agent within its number of streams; those named are of this batch.
async fn trim(
    lane: &Lane,
    agent: Uuid,
    (projects, streams): (&Vec<Uuid>, &Vec<Uuid>),
) -> Result<(), Fault> {
    let most = i64::from(STREAMS_PER_AGENT_MAX);
    let forgotten = lane
        .query(&TRIM, &[&agent, streams, projects, &most])
        .await?;
    if forgotten.is_empty() {
        return Ok(());
    }
    let forgotten: Vec<Uuid> = forgotten
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    lane.query(&DROP_GAPS, &[&agent, &forgotten, projects])
        .await?;
    Ok(())
}

/// What one batch does to streams.
#[derive(Default)]
struct Moves<'b> {
    positions: BTreeMap<StreamKey, u64>,
    gaps: Vec<(&'b StreamSegment, u64, u64)>,
}

/// Moves the streams of a batch, all of projects that exist. Locks each until the end of the transaction.
pub(super) async fn advance(
    lane: &Lane,
    segments: &[&StreamSegment],
    at: Timestamp,
) -> Result<(), Fault> {
    let mut moves = Moves::default();
    for segment in segments {
        moves.positions.insert(segment.key, 0);
    }
    if moves.positions.is_empty() {
        return Ok(());
    }
    let keys: Vec<StreamKey> = moves.positions.keys().copied().collect();
    let (projects, agents, streams) = columns(&keys);
    let begun = lane
        .query(&BEGIN, &[&projects, &agents, &streams, &at.as_micros()])
        .await?;
    for row in begun {
        trim(lane, row.try_get(0)?, (&projects, &streams)).await?;
    }
    for row in lane.query(&LOCK, &[&projects, &agents, &streams]).await? {
        let key = StreamKey {
            project_id: z4j_core::id::ProjectId::from_uuid(row.try_get(0)?),
            agent_id: z4j_core::id::AgentId::from_uuid(row.try_get(1)?),
            stream_id: z4j_core::id::StreamId::from_uuid(row.try_get(2)?),
        };
        let position: i64 = row.try_get(3)?;
        moves
            .positions
            .insert(key, u64::try_from(position).unwrap_or(0));
    }
    moves.add(segments)?;
    moves.write(lane, &keys, at).await
}

impl<'b> Moves<'b> {
    fn add(&mut self, segments: &[&'b StreamSegment]) -> Result<(), StreamHole> {
        for segment in segments {
            let position = self.positions.entry(segment.key).or_default();
            if let Some((first, last)) = segment.beyond(*position)? {
                if segment.gap.is_some() {
                    self.gaps.push((segment, first, last));
                }
                *position = last;
            }
        }
        Ok(())
    }

    async fn write(&self, lane: &Lane, keys: &[StreamKey], at: Timestamp) -> Result<(), Fault> {
        let (projects, agents, streams) = columns(keys);
        let positions: Vec<i64> = self.positions.values().map(|at| signed(*at)).collect();
        let at = at.as_micros();
        lane.query(&MOVE, &[&projects, &agents, &streams, &positions, &at])
            .await?;
        if self.gaps.is_empty() {
            return Ok(());
        }
        let keys: Vec<StreamKey> = self
            .gaps
            .iter()
            .map(|(segment, _, _)| segment.key)
            .collect();
        let (projects, agents, streams) = columns(&keys);
        let firsts: Vec<i64> = self
            .gaps
            .iter()
            .map(|(_, first, _)| signed(*first))
            .collect();
        let lasts: Vec<i64> = self.gaps.iter().map(|(_, _, last)| signed(*last)).collect();
        let reasons: Vec<_> = self
            .gaps
            .iter()
            .map(|(segment, _, _)| text::put(segment.gap.as_deref().unwrap_or_default()))
            .collect();
        lane.query(
            &KEEP_GAPS,
            &[&projects, &agents, &streams, &firsts, &lasts, &reasons, &at],
        )
        .await?;
        Ok(())
    }
}

fn columns(keys: &[StreamKey]) -> (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>) {
    (
        keys.iter().map(|key| *key.project_id.as_uuid()).collect(),
        keys.iter().map(|key| *key.agent_id.as_uuid()).collect(),
        keys.iter().map(|key| *key.stream_id.as_uuid()).collect(),
    )
}

/// Up to which position nothing is missing; 0 for an unknown stream.
pub(super) async fn position(db: &mut Db<'_>, key: &StreamKey) -> Result<u64, Fault> {
    let found = db
        .sql("SELECT position FROM streams WHERE project_id = $1 AND agent_id = $2 AND stream_id = $3")
        .bind(*key.project_id.as_uuid())
        .bind(*key.agent_id.as_uuid())
        .bind(*key.stream_id.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    found.map_or(Ok(0), |row| row::count(&row, "position"))
}

/// What was declared lost, in order.
pub(super) async fn gaps(
    db: &mut Db<'_>,
    key: &StreamKey,
    limit: u32,
) -> Result<Vec<StreamGap>, Fault> {
    let rows = db
        .sql(
            "SELECT first_position, last_position, reason FROM stream_gaps
             WHERE project_id = $1 AND agent_id = $2 AND stream_id = $3 ORDER BY first_position LIMIT $4",
        )
        .bind(*key.project_id.as_uuid())
        .bind(*key.agent_id.as_uuid())
        .bind(*key.stream_id.as_uuid())
        .bind(i64::from(limit))
        .fetch_all(db.conn())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(StreamGap {
                first: row::count(row, "first_position")?,
                last: row::count(row, "last_position")?,
                reason: row::text(row, "reason")?,
            })
        })
        .collect()
}
