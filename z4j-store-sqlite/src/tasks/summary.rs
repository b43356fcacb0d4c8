//! A task as lists show it. The record is not read.

use rusqlite::Row;
use z4j_core::id::{AgentId, TaskKey};
use z4j_core::store::TaskSummary;
use z4j_core::time::Timestamp;

use crate::row;

pub(super) const COLUMNS: &str = "engine, task_id, name, queue, state, state_at, priority, exception, \
    exception_message, retry_count, eta, sent_at, received_at, started_at, finished_at, runtime_ms, wait_ms, worker, \
    agent_id, parent_task_id, root_task_id, retried_as, retry_of, tags, created_at";

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<TaskSummary> {
    let at = |index: usize| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row
            .get::<_, Option<i64>>(index)?
            .map(Timestamp::from_micros))
    };
    let has_tags = row.get_ref(23)?.as_str_or_null()?.is_some();
    Ok(TaskSummary {
        key: TaskKey {
            engine: row.get(0)?,
            task_id: row.get(1)?,
        },
        name: row.get(2)?,
        queue: row.get(3)?,
        state: row::parse(row, "state")?,
        state_at: Timestamp::from_micros(row.get(5)?),
        priority: row.get(6)?,
        exception: row.get(7)?,
        exception_message: row.get(8)?,
        retry_count: row.get(9)?,
        eta: at(10)?,
        sent_at: at(11)?,
        received_at: at(12)?,
        started_at: at(13)?,
        finished_at: at(14)?,
        runtime_ms: row::count_opt(row, "runtime_ms")?,
        wait_ms: row::count_opt(row, "wait_ms")?,
        worker: row.get(17)?,
        agent_id: row::id_opt(row, "agent_id", AgentId::from_slice)?,
        parent_task_id: row.get(19)?,
        root_task_id: row.get(20)?,
        retried_as: row.get(21)?,
        retry_of: row.get(22)?,
        tags: if has_tags {
            row::json(row, "tags")?
        } else {
            Vec::new()
        },
        created_at: Timestamp::from_micros(row.get(24)?),
    })
}
