//! Pages of tasks.

use z4j_core::id::ProjectId;
use z4j_core::store::cursor::CursorError;
use z4j_core::store::{Page, PageRequest, TaskFilter, TaskSort, TaskSummary};

use crate::cursor;
use crate::db::Db;
use crate::fault::Fault;

use super::estimate::gathering;
use super::links;
use super::order::{self, Part};
use super::receipt;
use super::search::{self, Clues};
use super::sql::Sql;
use super::step::Step;
use super::summary;
use super::walk::Walk;

/// Rows that are looked at along the order before another way is thought of.
pub(super) const WINDOW_ROWS: u32 = 2_000;
/// The same of an order by run time, whose rows lie all over the table.
const RUN_WINDOW_ROWS: u32 = 500;
/// Rows of a second look.
const WIDE_WINDOW_ROWS_MAX: u32 = 150_000;
/// Rows that are read to gather all that match; beyond, the database is left to choose.
const GATHER_ROWS_MAX: u32 = 500_000;

/// A page that is asked for.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) project: ProjectId,
    pub(super) filter: &'a TaskFilter,
    pub(super) sort: TaskSort,
    pub(super) page: PageRequest,
}

/// For statements whose best plan hangs on their values, and whose worst one reads the whole table.
pub(super) const SETTINGS: &str = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), \
    set_config('enable_seqscan', 'off', true), set_config('work_mem', '64MB', true)";

/// Whether the page takes one statement for each part, whose best plan is the same for all values.
pub(super) fn is_simple(request: &Request<'_>) -> bool {
    let is_simple = |part: &Part| {
        Walk::new(request.project, request.filter, *part, None)
            .is_none_or(|walk| walk.is_exact() && !walk.has_choice() && !walk.has_search())
    };
    order::parts(request.sort).iter().all(is_simple)
}

/// A page that may take several ways.
pub(super) async fn chosen_page(
    db: &mut Db<'_>,
    request: &Request<'_>,
) -> Result<Page<TaskSummary>, Fault> {
    db.sql(SETTINGS).execute(db.conn()).await?;
    page(db, request).await
}

/// A page.
pub(super) async fn page(
    db: &mut Db<'_>,
    request: &Request<'_>,
) -> Result<Page<TaskSummary>, Fault> {
    let (project, filter, sort) = (request.project, request.filter, request.sort);
    let tag = tag(project, filter, sort)?;
    let after = sort.open(&tag, request.page.after.as_ref())?;
    let is_past_values = after.as_ref().is_some_and(|after| after.value.is_none());
    let limit = request.page.limit as usize;
    let mut items = Vec::new();
    let mut clues = Clues::new(filter.search.as_deref().unwrap_or_default());
    for part in order::parts(sort) {
        if is_past_values && part.column().is_some() {
            continue;
        }
        let missing = u32::try_from(limit + 1 - items.len()).unwrap_or_default();
        if let Some(walk) = Walk::new(project, filter, *part, after.as_ref()) {
            items.extend(rows(db, &mut clues, &walk, missing).await?);
        }
        if items.len() > limit {
            break;
        }
    }
    let has_more = items.len() > limit;
    items.truncate(limit);
    links::fill(db, project, &mut items).await?;
    let next = match items.last() {
        Some(last) if has_more => Some(cursor::seal(&tag, sort.place(last))?),
        _ => None,
    };
    Ok(Page { items, next })
}

/// The first `wanted` rows of a part.
async fn rows(
    db: &mut Db<'_>,
    clues: &mut Clues,
    walk: &Walk<'_>,
    wanted: u32,
) -> Result<Vec<TaskSummary>, Fault> {
    if walk.has_search() {
        return search::rows(db, clues, walk, wanted).await;
    }
    let mut estimate = None;
    if walk.has_choice() || receipt::has_choice(walk) {
        let gathering = gathering(db, walk).await?;
        if gathering.at_most <= WINDOW_ROWS {
            // To pass over all of a frequent name, for a queue that has little of it, costs more than all tasks of that queue.
            return run(db, &Step::Gathered.sql(walk, wanted)).await;
        }
        estimate = Some(gathering);
    }
    if walk.is_exact() {
        return run(db, &Step::Exact.sql(walk, wanted)).await;
    }
    if receipt::is_way_of(walk)
        && let Some(tasks) = receipt::rows(db, walk, wanted).await?
    {
        return Ok(tasks);
    }
    let gathering = match estimate {
        Some(estimate) => estimate,
        None => gathering(db, walk).await?,
    };
    if gathering.at_most <= WINDOW_ROWS {
        return run(db, &Step::Gathered.sql(walk, wanted)).await;
    }
    let window = match walk.part {
        Part::Ran => RUN_WINDOW_ROWS,
        _ => WINDOW_ROWS,
    };
    let (seen, found) = look(db, walk, window, wanted).await?;
    if found.len() >= wanted as usize || seen < window {
        return Ok(found);
    }
    let needed = rows_needed((found.len(), window), wanted);
    if needed <= WIDE_WINDOW_ROWS_MAX && needed <= gathering.likely {
        let (seen, found) = look(db, walk, needed, wanted).await?;
        if found.len() >= wanted as usize || seen < needed {
            return Ok(found);
        }
    }
    let step = if gathering.likely <= GATHER_ROWS_MAX {
        Step::Gathered
    } else {
        Step::Free
    };
    run(db, &step.sql(walk, wanted)).await
}

/// Rows along the order that hold `wanted` matches, when some `looked_at` held `found`, with a half more for luck.
pub(super) fn rows_needed((found, looked_at): (usize, u32), wanted: u32) -> u32 {
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    let rows = looked_at.saturating_mul(wanted).saturating_mul(3);
    rows.checked_div(found.saturating_mul(2))
        .unwrap_or(u32::MAX)
}

async fn run(db: &mut Db<'_>, sql: &Sql) -> Result<Vec<TaskSummary>, Fault> {
    sql.fetch(db).await?.iter().map(summary::read).collect()
}

/// How many rows were looked at, and those that match.
async fn look(
    db: &mut Db<'_>,
    walk: &Walk<'_>,
    window: u32,
    wanted: u32,
) -> Result<(u32, Vec<TaskSummary>), Fault> {
    let rows = Step::Window { rows: window }
        .sql(walk, wanted)
        .fetch(db)
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    let mut seen = 0;
    for row in &rows {
        seen = crate::row::get::<i64>(row, "seen")?;
        if crate::row::get::<Option<&str>>(row, "task_id")?.is_some() {
            found.push(summary::read(row)?);
        }
    }
    Ok((u32::try_from(seen).unwrap_or(u32::MAX), found))
}

fn tag(project: ProjectId, filter: &TaskFilter, sort: TaskSort) -> Result<String, CursorError> {
    let exact = (
        &filter.name,
        &filter.queue,
        &filter.worker,
        &filter.engine,
        &filter.search,
    );
    let window = (filter.since, filter.until);
    cursor::query_tag(&("tasks", project, &filter.states, exact, window, sort as u8))
}
