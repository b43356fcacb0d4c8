//! What can never be stored, kept for a person to look at, up to a bound.

use std::borrow::Cow;
use std::collections::BTreeSet;

use tokio_postgres::types::Type;
use uuid::Uuid;
use z4j_core::limits::{QUARANTINE_EXCERPT_BYTES_MAX, QUARANTINE_ROWS_MAX};
use z4j_core::store::{EventOutcome, IngestBatch};

use super::lane::{Lane, Statement};
use crate::fault::Fault;
use crate::text;

pub(super) const INSERT: Statement = Statement {
    sql: "INSERT INTO quarantine (project_id, id, agent_id, reason, detail, excerpt, at)
          SELECT project_id, id, agent_id, reason, detail, excerpt, $7
          FROM unnest($1, $2, $3, $4, $5, $6) AS kept (project_id, id, agent_id, reason, detail, excerpt)
          ON CONFLICT DO NOTHING RETURNING project_id",
    types: &[
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::BYTEA_ARRAY,
        Type::INT8,
    ],
};

pub(super) const TRIM: Statement = Statement {
    sql: "DELETE FROM quarantine WHERE project_id = $1 AND number <= (
              SELECT number FROM quarantine WHERE project_id = $1 ORDER BY number DESC LIMIT 1 OFFSET $2
          )",
    types: &[Type::UUID, Type::INT8],
};

struct Kept<'b> {
    project: Uuid,
    id: Uuid,
    agent: Uuid,
    reason: &'b str,
    detail: Cow<'b, str>,
    excerpt: &'b [u8],
}

/// Keeps the poison of a batch; the same frame once.
pub(super) async fn keep(
    lane: &Lane,
    batch: &IngestBatch,
    outcomes: &[EventOutcome],
) -> Result<(), Fault> {
    let mut kept = collect(batch, outcomes);
    if kept.is_empty() {
        return Ok(());
    }
    // In the order of keys, as locks are taken everywhere.
    kept.sort_by_key(|kept| (kept.project, kept.id));
    macro_rules! column {
        ($kept:ident => $value:expr) => {
            &kept.iter().map(|$kept| $value).collect::<Vec<_>>()
        };
    }
    let rows = lane
        .query(
            &INSERT,
            &[
                column!(kept => kept.project),
                column!(kept => kept.id),
                column!(kept => kept.agent),
                column!(kept => kept.reason),
                column!(kept => text::put(&kept.detail)),
                column!(kept => kept.excerpt),
                &batch.received_at.as_micros(),
            ],
        )
        .await?;
    let projects: Result<BTreeSet<Uuid>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    for project in projects? {
        lane.query(&TRIM, &[&project, &i64::from(QUARANTINE_ROWS_MAX)])
            .await?;
    }
    Ok(())
}

fn collect<'b>(batch: &'b IngestBatch, outcomes: &[EventOutcome]) -> Vec<Kept<'b>> {
    let frames = batch.poison.iter().map(|frame| Kept {
        project: *frame.project_id.as_uuid(),
        id: *frame.id.as_uuid(),
        agent: *frame.agent_id.as_uuid(),
        reason: frame.reason,
        detail: Cow::Borrowed(frame.detail.as_str()),
        excerpt: start(frame.excerpt.get()),
    });
    let events = batch.events.iter().zip(outcomes);
    let events = events.filter_map(|(event, outcome)| match outcome {
        EventOutcome::Poison(reason) => Some(Kept {
            project: *event.project_id.as_uuid(),
            id: *event.id.as_uuid(),
            agent: *event.agent_id.as_uuid(),
            reason,
            detail: Cow::Owned(format!("event {} of task {:?}", event.kind, event.task_id)),
            excerpt: start(event.data.get()),
        }),
        EventOutcome::Inserted | EventOutcome::Duplicate => None,
    });
    frames.chain(events).collect()
}

fn start(data: &[u8]) -> &[u8] {
    let end = data.len().min(QUARANTINE_EXCERPT_BYTES_MAX);
    data.get(..end).unwrap_or_default()
}
