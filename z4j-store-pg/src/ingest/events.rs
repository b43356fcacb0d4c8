//! Event rows: each once.

use tokio_postgres::types::Type;
use z4j_core::store::timeline_rank;

use super::intake::{Intake, Key};
use super::lane::{Lane, Statement};
use crate::fault::Fault;
use crate::text;

pub(super) const INSERT: Statement = Statement {
    sql: "INSERT INTO events (project_id, sent_at, id, engine, task_id, occurred_at, rank, kind, agent_id, worker, queue,
              data, received_at)
          SELECT project_id, sent_at, id, engine, task_id, occurred_at, rank, kind, agent_id, worker, queue, data, $13
          FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
              AS new (project_id, sent_at, id, engine, task_id, occurred_at, rank, kind, agent_id, worker, queue, data)
          ON CONFLICT DO NOTHING RETURNING project_id, sent_at, id",
    types: &[
        Type::UUID_ARRAY,
        Type::INT8_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::INT2_ARRAY,
        Type::TEXT_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8,
    ],
};

/// Inserts what is new; answers the keys of that, in their order.
pub(super) async fn insert(lane: &Lane, intake: &Intake<'_>) -> Result<Vec<Key>, Fault> {
    macro_rules! column {
        ($candidate:ident => $value:expr) => {
            intake
                .candidates
                .iter()
                .map(|$candidate| $value)
                .collect::<Vec<_>>()
        };
    }
    if intake.candidates.is_empty() {
        return Ok(Vec::new());
    }
    let rows = lane
        .query(
            &INSERT,
            &[
                &column!(new => *new.event.project_id.as_uuid()),
                &column!(new => new.event.sent_at.as_micros()),
                &column!(new => *new.event.id.as_uuid()),
                &column!(new => text::put(&new.event.engine)),
                &column!(new => task_id(new.event)),
                &column!(new => new.event.occurred_at.as_micros()),
                &column!(new => i16::from(timeline_rank(&new.event.kind))),
                &column!(new => text::put(new.event.kind.as_str())),
                &column!(new => *new.event.agent_id.as_uuid()),
                &column!(new => text::put_opt(new.event.worker.as_deref())),
                &column!(new => text::put_opt(new.event.queue.as_deref())),
                &column!(new => &*new.data),
                &intake.batch.received_at.as_micros(),
            ],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
        .collect()
}

/// Only what is about a task stands in a task's timeline.
fn task_id(event: &z4j_core::store::IngestEvent) -> std::borrow::Cow<'_, str> {
    if event.task.is_some() {
        text::put(&event.task_id)
    } else {
        std::borrow::Cow::Borrowed("")
    }
}
