//! The rows of tasks: found and locked, inserted, updated.

use std::borrow::Cow;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;
use z4j_core::id::ProjectId;
use z4j_core::store::StoreErrorKind;
use z4j_core::task::{DecodeError, TaskRecord};
use z4j_core::time::Timestamp;

use super::fold::{Fold, Slot, Stored, Written};
use super::lane::{Lane, Statement, Value};
use crate::fault::Fault;
use crate::row::{json_text, signed};
use crate::text;

const KEY_TYPES: &[Type] = &[Type::UUID_ARRAY, Type::TEXT_ARRAY, Type::TEXT_ARRAY];

/// Locks in the order of keys, as every transaction does.
pub(super) const LOCK: Statement = Statement {
    sql:
        "SELECT t.project_id, t.engine, t.task_id, t.created_at, t.sent_from, t.sent_until, t.record
          FROM unnest($1, $2, $3) AS wanted (project_id, engine, task_id)
          JOIN tasks t USING (project_id, engine, task_id)
          ORDER BY t.project_id, t.engine, t.task_id FOR UPDATE OF t",
    types: KEY_TYPES,
};

/// Never waits, so it may come after other locks.
pub(super) const LOCK_FREE: Statement = Statement {
    sql:
        "SELECT t.project_id, t.engine, t.task_id, t.created_at, t.sent_from, t.sent_until, t.record
          FROM unnest($1, $2, $3) AS wanted (project_id, engine, task_id)
          JOIN tasks t USING (project_id, engine, task_id) FOR UPDATE OF t SKIP LOCKED",
    types: KEY_TYPES,
};

/// What a person's retries say of tasks.
pub(super) const LINKS: Statement = Statement {
    sql: "SELECT wanted.project_id, wanted.engine, wanted.task_id, original.original, retry.retry
          FROM unnest($1, $2, $3) AS wanted (project_id, engine, task_id)
          LEFT JOIN LATERAL (
              SELECT l.original FROM task_links l
              WHERE l.project_id = wanted.project_id AND l.engine = wanted.engine AND l.retry = wanted.task_id
          ) original ON true
          LEFT JOIN LATERAL (
              SELECT l.retry FROM task_links l
              WHERE l.project_id = wanted.project_id AND l.engine = wanted.engine AND l.original = wanted.task_id
              ORDER BY l.at DESC LIMIT 1
          ) retry ON true
          WHERE original.original IS NOT NULL OR retry.retry IS NOT NULL",
    types: KEY_TYPES,
};

/// Answers the keys of the rows that are there only now.
pub(super) const INSERT: Statement = Statement {
    sql: "INSERT INTO tasks (project_id, engine, task_id, state, state_at, name, queue, worker, priority, exception,
              exception_message, retry_count, eta, sent_at, received_at, started_at, finished_at, runtime_ms, wait_ms,
              agent_id, parent_task_id, root_task_id, tags, created_at, first_at, sent_from, sent_until, record)
          SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
              $21, $22, $23, $24, $25, $26, $27, $28)
          ON CONFLICT DO NOTHING RETURNING project_id, engine, task_id",
    types: ROW_TYPES,
};

/// Of rows that this transaction has locked.
pub(super) const UPDATE: Statement = Statement {
    sql: "UPDATE tasks t SET state = n.state, state_at = n.state_at, name = n.name, queue = n.queue, worker = n.worker,
              priority = n.priority, exception = n.exception, exception_message = n.exception_message,
              retry_count = n.retry_count, eta = n.eta, sent_at = n.sent_at, received_at = n.received_at,
              started_at = n.started_at, finished_at = n.finished_at, runtime_ms = n.runtime_ms, wait_ms = n.wait_ms,
              agent_id = n.agent_id, parent_task_id = n.parent_task_id, root_task_id = n.root_task_id, tags = n.tags,
              first_at = n.first_at, sent_from = n.sent_from, sent_until = n.sent_until, record = n.record
          FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
              $21, $22, $23, $24, $25, $26, $27, $28)
              AS n (project_id, engine, task_id, state, state_at, name, queue, worker, priority, exception,
              exception_message, retry_count, eta, sent_at, received_at, started_at, finished_at, runtime_ms, wait_ms,
              agent_id, parent_task_id, root_task_id, tags, created_at, first_at, sent_from, sent_until, record)
          WHERE t.project_id = n.project_id AND t.engine = n.engine AND t.task_id = n.task_id",
    types: ROW_TYPES,
};

const ROW_TYPES: &[Type] = &[
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::UUID_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::BYTEA_ARRAY,
];

type Texts<'s> = Vec<Cow<'s, str>>;

/// Reads tasks with one of the statements that take keys.
pub(super) async fn read<'f, 'b: 'f>(
    lane: &Lane,
    statement: &Statement,
    slots: impl Iterator<Item = &'f Slot<'b>> + Clone,
) -> Result<Vec<Row>, Fault> {
    let projects: Vec<Uuid> = slots.clone().map(|slot| *slot.project.as_uuid()).collect();
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    let engines: Texts<'_> = slots.clone().map(|slot| text::put(slot.engine)).collect();
    let task_ids: Texts<'_> = slots.map(|slot| text::put(slot.task_id)).collect();
    lane.query(statement, &[&projects, &engines, &task_ids])
        .await
}

/// Takes in the rows that [`LOCK`] or [`LOCK_FREE`] found; answers how many.
pub(super) fn note_stored(fold: &mut Fold<'_>, rows: &[Row]) -> Result<usize, Fault> {
    for row in rows {
        let record = TaskRecord::decode(row.try_get(6)?).map_err(|error| match error {
            // Not the fault of the events: they wait until this program is as new.
            DecodeError::Version(_) => {
                let sentence = "a newer z4j has written to this database";
                Fault::refused(StoreErrorKind::SchemaTooNew, sentence)
            }
            DecodeError::Damaged => Fault::Corrupt(error.to_string()),
        })?;
        let slot = slot_of(fold, row)?;
        slot.stored = Some(Stored {
            record,
            created_at: Timestamp::from_micros(row.try_get(3)?),
            sent: (
                Timestamp::from_micros(row.try_get(4)?),
                Timestamp::from_micros(row.try_get(5)?),
            ),
        });
    }
    Ok(rows.len())
}

/// Takes in the rows that [`LINKS`] found.
pub(super) fn note_links(fold: &mut Fold<'_>, rows: &[Row]) -> Result<(), Fault> {
    for row in rows {
        let link = |column| -> Result<Option<String>, Fault> {
            Ok(row.try_get::<_, Option<String>>(column)?.map(text::take))
        };
        let (retry_of, retried_as) = (link(3)?, link(4)?);
        let slot = slot_of(fold, row)?;
        (slot.retry_of, slot.retried_as) = (retry_of, retried_as);
    }
    Ok(())
}

/// The name of the task in the first three columns.
pub(super) fn name_of(row: &Row) -> Result<(ProjectId, String, String), Fault> {
    Ok((
        ProjectId::from_uuid(row.try_get(0)?),
        text::take(row.try_get(1)?),
        text::take(row.try_get(2)?),
    ))
}

fn slot_of<'f, 'b>(fold: &'f mut Fold<'b>, row: &Row) -> Result<&'f mut Slot<'b>, Fault> {
    let (project, engine, task_id) = name_of(row)?;
    fold.slot(&(project, &engine, &task_id)).ok_or(Fault::Bug(
        "the database answered a task that nobody asked for",
    ))
}

/// Writes rows with [`INSERT`] or [`UPDATE`].
pub(super) async fn write(
    lane: &Lane,
    statement: &Statement,
    rows: &[&Written],
) -> Result<Vec<Row>, Fault> {
    macro_rules! column {
        ($task:ident => $value:expr) => {
            &rows
                .iter()
                .map(|row| {
                    let $task = &row.summary;
                    $value
                })
                .collect::<Vec<_>>()
        };
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let values: [Value<'_>; 28] = [
        &rows
            .iter()
            .map(|row| *row.project.as_uuid())
            .collect::<Vec<_>>(),
        column!(task => text::put(&task.key.engine)),
        column!(task => text::put(&task.key.task_id)),
        column!(task => task.state.as_str()),
        column!(task => task.state_at.as_micros()),
        column!(task => text::put_opt(task.name.as_deref())),
        column!(task => text::put_opt(task.queue.as_deref())),
        column!(task => text::put_opt(task.worker.as_deref())),
        column!(task => text::put_opt(task.priority.as_deref())),
        column!(task => text::put_opt(task.exception.as_deref())),
        column!(task => text::put_opt(task.exception_message.as_deref())),
        column!(task => i64::from(task.retry_count)),
        column!(task => task.eta.map(Timestamp::as_micros)),
        column!(task => task.sent_at.map(Timestamp::as_micros)),
        column!(task => task.received_at.map(Timestamp::as_micros)),
        column!(task => task.started_at.map(Timestamp::as_micros)),
        column!(task => task.finished_at.map(Timestamp::as_micros)),
        column!(task => task.runtime_ms.map(signed)),
        column!(task => task.wait_ms.map(signed)),
        column!(task => task.agent_id.map(|id| *id.as_uuid())),
        column!(task => text::put_opt(task.parent_task_id.as_deref())),
        column!(task => text::put_opt(task.root_task_id.as_deref())),
        &tags(rows)?,
        column!(task => task.created_at.as_micros()),
        &rows
            .iter()
            .map(|row| row.first_at.as_micros())
            .collect::<Vec<_>>(),
        &rows
            .iter()
            .map(|row| row.sent.0.as_micros())
            .collect::<Vec<_>>(),
        &rows
            .iter()
            .map(|row| row.sent.1.as_micros())
            .collect::<Vec<_>>(),
        &rows
            .iter()
            .map(|row| row.record.as_slice())
            .collect::<Vec<_>>(),
    ];
    lane.query(statement, &values).await
}

/// Tags as JSON; most tasks have none.
fn tags(rows: &[&Written]) -> Result<Vec<Option<String>>, Fault> {
    let tags = rows.iter().map(|row| &row.summary.tags);
    tags.map(|tags| {
        if tags.is_empty() {
            return Ok(None);
        }
        json_text(tags).map(|json| Some(text::put(&json).into_owned()))
    })
    .collect()
}
