//! A person's retries, which are no part of a task's row: either task may be unknown when they are written.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;
use z4j_core::id::ProjectId;
use z4j_core::store::TaskSummary;

use crate::db::Db;
use crate::fault::Fault;
use crate::{row, text};

/// The links of the row `shown`, in a statement whose first value is the project.
pub(super) const COLUMNS: &str = "(SELECT link.original FROM task_links link \
     WHERE link.project_id = $1 AND link.engine = shown.engine AND link.retry = shown.task_id) AS retry_of, \
    (SELECT link.retry FROM task_links link \
     WHERE link.project_id = $1 AND link.engine = shown.engine AND link.original = shown.task_id \
     ORDER BY link.at DESC, link.retry DESC LIMIT 1) AS retried_as";

pub(super) fn select() -> String {
    format!(
        "SELECT shown.place, {COLUMNS} \
         FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS shown (engine, task_id, place)"
    )
}

/// Completes `tasks` with the links that are known now.
pub(super) async fn fill(
    db: &mut Db<'_>,
    project: ProjectId,
    tasks: &mut [TaskSummary],
) -> Result<(), Fault> {
    if tasks.is_empty() {
        return Ok(());
    }
    let put = |part: &str| text::put(part).into_owned();
    let engines: Vec<String> = tasks.iter().map(|task| put(&task.key.engine)).collect();
    let ids: Vec<String> = tasks.iter().map(|task| put(&task.key.task_id)).collect();
    let select = db
        .sql(AssertSqlSafe(select()))
        .bind(*project.as_uuid())
        .bind(engines)
        .bind(ids);
    for row in select.fetch_all(db.conn()).await? {
        let place: i64 = row::get(&row, "place")?;
        let index = usize::try_from(place - 1).unwrap_or(usize::MAX);
        if let Some(task) = tasks.get_mut(index) {
            set(task, &row)?;
        }
    }
    Ok(())
}

/// Takes [`COLUMNS`].
pub(super) fn set(task: &mut TaskSummary, row: &PgRow) -> Result<(), Fault> {
    task.retry_of = row::text_opt(row, "retry_of")?;
    task.retried_as = row::text_opt(row, "retried_as")?;
    Ok(())
}
