//! A task as lists show it. The record is not read; links to a person's retries are [`super::links`]'s.

use sqlx::postgres::PgRow;
use z4j_core::id::{AgentId, TaskKey};
use z4j_core::store::TaskSummary;

use crate::fault::Fault;
use crate::row;

pub(super) const COLUMNS: &str = "engine, task_id, name, queue, state, state_at, priority, exception, \
    exception_message, retry_count, eta, sent_at, received_at, started_at, finished_at, runtime_ms, wait_ms, worker, \
    agent_id, parent_task_id, root_task_id, tags, created_at";

pub(super) fn read(row: &PgRow) -> Result<TaskSummary, Fault> {
    let has_tags = row::get::<Option<&str>>(row, "tags")?.is_some();
    Ok(TaskSummary {
        key: key(row)?,
        name: row::text_opt(row, "name")?,
        queue: row::text_opt(row, "queue")?,
        state: row::parse(row, "state")?,
        state_at: row::time(row, "state_at")?,
        priority: row::text_opt(row, "priority")?,
        exception: row::text_opt(row, "exception")?,
        exception_message: row::text_opt(row, "exception_message")?,
        retry_count: row::small_opt(row, "retry_count")?.unwrap_or_default(),
        eta: row::time_opt(row, "eta")?,
        sent_at: row::time_opt(row, "sent_at")?,
        received_at: row::time_opt(row, "received_at")?,
        started_at: row::time_opt(row, "started_at")?,
        finished_at: row::time_opt(row, "finished_at")?,
        runtime_ms: row::count_opt(row, "runtime_ms")?,
        wait_ms: row::count_opt(row, "wait_ms")?,
        worker: row::text_opt(row, "worker")?,
        agent_id: row::id_opt(row, "agent_id", AgentId::from_uuid)?,
        parent_task_id: row::text_opt(row, "parent_task_id")?,
        root_task_id: row::text_opt(row, "root_task_id")?,
        retried_as: None,
        retry_of: None,
        tags: if has_tags {
            row::json(row, "tags")?
        } else {
            Vec::new()
        },
        created_at: row::time(row, "created_at")?,
    })
}

pub(super) fn key(row: &PgRow) -> Result<TaskKey, Fault> {
    Ok(TaskKey {
        engine: row::text(row, "engine")?,
        task_id: row::text(row, "task_id")?,
    })
}
