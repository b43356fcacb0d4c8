//! One task, and the tree that it belongs to.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{TaskDetail, TaskNode, TaskSummary, TaskTree};
use z4j_core::task::TaskRecord;

use crate::fault::Fault;
use crate::row;

use super::summary::{self, COLUMNS};

pub(super) fn one(
    db: &Connection,
    project: ProjectId,
    task: &TaskKey,
) -> Result<Option<TaskDetail>, Fault> {
    let Some(project) = row::project_key(db, project)? else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT {COLUMNS}, record FROM tasks WHERE project = ?1 AND engine = ?2 AND task_id = ?3"
    );
    let mut select = db.prepare_cached(&sql)?;
    let found = select
        .query_row(params![project, task.engine, task.task_id], |row| {
            let record = TaskRecord::decode(row.get_ref("record")?.as_blob()?);
            Ok((summary::read(row)?, record))
        })
        .optional()?;
    let Some((summary, record)) = found else {
        return Ok(None);
    };
    let record = record.map_err(|error| Fault::Corrupt(error.to_string()))?;
    Ok(Some(TaskDetail { summary, record }))
}

/// Those of `keys` that there are, each once.
pub(super) fn some(
    db: &Connection,
    project: ProjectId,
    keys: &[TaskKey],
) -> Result<Vec<TaskSummary>, Fault> {
    let Some(project) = row::project_key(db, project)? else {
        return Ok(Vec::new());
    };
    let sql =
        format!("SELECT {COLUMNS} FROM tasks WHERE project = ?1 AND engine = ?2 AND task_id = ?3");
    let mut select = db.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for key in keys.iter().collect::<BTreeSet<_>>() {
        let task = select
            .query_row(params![project, key.engine, key.task_id], summary::read)
            .optional()?;
        found.extend(task);
    }
    Ok(found)
}

pub(super) fn tree(
    db: &Connection,
    project: ProjectId,
    task: &TaskKey,
    limit: u32,
) -> Result<Option<TaskTree>, Fault> {
    let Some(project) = row::project_key(db, project)? else {
        return Ok(None);
    };
    let mut find = db.prepare_cached(
        "SELECT coalesce(root_task_id, task_id) FROM tasks WHERE project = ?1 AND engine = ?2 AND task_id = ?3",
    )?;
    let found = find
        .query_row(params![project, task.engine, task.task_id], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(root): Option<String> = found else {
        return Ok(None);
    };
    let mut select = db.prepare_cached(
        "SELECT engine, task_id, name, state, parent_task_id, started_at, finished_at, runtime_ms FROM tasks
         WHERE key IN (
             SELECT key FROM tasks WHERE project = ?1 AND engine = ?2 AND root_task_id = ?3
             UNION SELECT key FROM tasks WHERE project = ?1 AND engine = ?2 AND task_id = ?3
         ) ORDER BY first_at, task_id LIMIT ?4",
    )?;
    let rows = select.query_map(
        params![project, task.engine, root, i64::from(limit) + 1],
        read_node,
    )?;
    let mut nodes = rows.collect::<Result<Vec<_>, _>>()?;
    let truncated = nodes.len() > limit as usize;
    nodes.truncate(limit as usize);
    Ok(Some(TaskTree {
        root,
        truncated,
        nodes,
    }))
}

fn read_node(row: &Row<'_>) -> rusqlite::Result<TaskNode> {
    Ok(TaskNode {
        key: TaskKey {
            engine: row.get("engine")?,
            task_id: row.get("task_id")?,
        },
        name: row.get("name")?,
        state: row::parse(row, "state")?,
        parent_task_id: row.get("parent_task_id")?,
        started_at: row::time_opt(row, "started_at")?,
        finished_at: row::time_opt(row, "finished_at")?,
        runtime_ms: row::count_opt(row, "runtime_ms")?,
    })
}
