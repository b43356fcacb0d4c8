//! One task, and the tree that it belongs to.

use sqlx::postgres::PgRow;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::limits::PAGE_ROWS_MAX;
use z4j_core::store::{TaskDetail, TaskNode, TaskSummary, TaskTree};
use z4j_core::task::TaskRecord;

use crate::db::Db;
use crate::fault::Fault;
use crate::row;

use super::summary::{self, COLUMNS};
use super::{links, sql::Sql, sql::Value};

pub(super) async fn one(
    db: &mut Db<'_>,
    project: ProjectId,
    task: &TaskKey,
) -> Result<Option<TaskDetail>, Fault> {
    let rows = select_one(project, task).fetch(db).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let record = TaskRecord::decode(row::get(row, "record")?)
        .map_err(|error| Fault::Corrupt(error.to_string()))?;
    let mut summary = summary::read(row)?;
    links::set(&mut summary, row)?;
    Ok(Some(TaskDetail { summary, record }))
}

/// Conditions that name one task.
fn only(sql: &mut Sql, project: ProjectId, task: &TaskKey) -> String {
    let project = sql.mark(Value::Uuid(*project.as_uuid()));
    let engine = sql.mark(Value::text(&task.engine));
    let task_id = sql.mark(Value::text(&task.task_id));
    format!("project_id = {project} AND engine = {engine} AND task_id = {task_id}")
}

pub(super) fn select_one(project: ProjectId, task: &TaskKey) -> Sql {
    let mut sql = Sql::default();
    let only = only(&mut sql, project, task);
    let links = links::COLUMNS;
    sql.push(&format!(
        "SELECT {COLUMNS}, record, {links} FROM tasks AS shown WHERE {only}"
    ));
    sql
}

/// The tasks of `keys` that there are.
pub(super) async fn some(
    db: &mut Db<'_>,
    project: ProjectId,
    keys: &[TaskKey],
) -> Result<Vec<TaskSummary>, Fault> {
    let rows = select_some(project, keys).fetch(db).await?;
    let mut found = rows
        .iter()
        .map(summary::read)
        .collect::<Result<Vec<_>, _>>()?;
    links::fill(db, project, &mut found).await?;
    Ok(found)
}

pub(super) fn select_some(project: ProjectId, keys: &[TaskKey]) -> Sql {
    let mut keys: Vec<&TaskKey> = keys.iter().take(PAGE_ROWS_MAX as usize).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut sql = Sql::default();
    let project = sql.mark(Value::Uuid(*project.as_uuid()));
    let engines = sql.mark(Value::texts(keys.iter().map(|key| key.engine.as_str())));
    let ids = sql.mark(Value::texts(keys.iter().map(|key| key.task_id.as_str())));
    // OFFSET keeps the database from reading all tasks to join them.
    sql.push(&format!(
        "SELECT {COLUMNS} FROM unnest({engines}, {ids}) AS wanted (e, i) CROSS JOIN LATERAL \
         (SELECT {COLUMNS} FROM tasks WHERE project_id = {project} AND engine = e AND task_id = i OFFSET 0) found"
    ));
    sql
}

pub(super) async fn tree(
    db: &mut Db<'_>,
    project: ProjectId,
    task: &TaskKey,
    limit: u32,
) -> Result<Option<TaskTree>, Fault> {
    let rows = select_root(project, task).fetch(db).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let root = row::text(row, "root")?;
    let family = TaskKey::new(&task.engine, &root);
    let rows = select_family(project, &family, limit.saturating_add(1))
        .fetch(db)
        .await?;
    let mut nodes = rows.iter().map(read_node).collect::<Result<Vec<_>, _>>()?;
    let truncated = nodes.len() > limit as usize;
    nodes.truncate(limit as usize);
    Ok(Some(TaskTree {
        root,
        truncated,
        nodes,
    }))
}

pub(super) fn select_root(project: ProjectId, task: &TaskKey) -> Sql {
    let mut sql = Sql::default();
    let only = only(&mut sql, project, task);
    sql.push(&format!(
        "SELECT coalesce(root_task_id, task_id) AS root FROM tasks WHERE {only}"
    ));
    sql
}

/// The root, which may name another root itself, and those that name it.
pub(super) fn select_family(project: ProjectId, root: &TaskKey, limit: u32) -> Sql {
    const NODE: &str = "engine, task_id, name, state, parent_task_id, started_at, finished_at, runtime_ms, first_at";
    let mut sql = Sql::default();
    let only = only(&mut sql, project, root);
    let (project, engine) = (
        sql.mark(Value::Uuid(*project.as_uuid())),
        sql.mark(Value::text(&root.engine)),
    );
    let root = sql.mark(Value::text(&root.task_id));
    sql.push(&format!(
        "SELECT {NODE} FROM ((SELECT {NODE} FROM tasks \
         WHERE project_id = {project} AND root_task_id = {root} AND engine = {engine} AND task_id <> {root} \
         ORDER BY first_at, task_id LIMIT {limit}) \
         UNION ALL SELECT {NODE} FROM tasks WHERE {only}) family \
         ORDER BY first_at, task_id LIMIT {limit}"
    ));
    sql
}

fn read_node(row: &PgRow) -> Result<TaskNode, Fault> {
    Ok(TaskNode {
        key: summary::key(row)?,
        name: row::text_opt(row, "name")?,
        state: row::parse(row, "state")?,
        parent_task_id: row::text_opt(row, "parent_task_id")?,
        started_at: row::time_opt(row, "started_at")?,
        finished_at: row::time_opt(row, "finished_at")?,
        runtime_ms: row::count_opt(row, "runtime_ms")?,
    })
}
