//! Pages of tasks.

use z4j_core::id::ProjectId;
use z4j_core::store::{Page, PageRequest, TaskFilter, TaskSort, TaskSummary};

use crate::cursor;
use crate::db::Db;
use crate::fault::Fault;

use super::order::{self, Position};
use super::sql::{Sql, Value};
use super::summary::{self, COLUMNS};
use super::walk::Walk;
use super::{links, search};

/// Rows that are looked at along the order before another way is thought of.
const WINDOW_ROWS: u32 = 2_000;
/// Rows that are gathered at once and sorted.
pub(super) const GATHER_ROWS_MAX: u32 = 20_000;

/// A page that is asked for.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) project: ProjectId,
    pub(super) filter: &'a TaskFilter,
    pub(super) sort: TaskSort,
    pub(super) page: PageRequest,
}

pub(super) async fn page(
    db: &mut Db<'_>,
    request: &Request<'_>,
) -> Result<Page<TaskSummary>, Fault> {
    let (project, filter, sort) = (request.project, request.filter, request.sort);
    let tag = tag(project, filter, sort)?;
    let after: Option<Position> = cursor::open(&tag, request.page.after.as_ref())?;
    let is_past_values = matches!(&after, Some((None, _, _)));
    let limit = request.page.limit as usize;
    let mut items = Vec::new();
    for part in order::parts(sort) {
        if is_past_values && part.column().is_some() {
            continue;
        }
        let missing = u32::try_from(limit + 1 - items.len()).unwrap_or_default();
        if let Some(walk) = Walk::new(project, filter, *part, after.as_ref()) {
            items.extend(rows(db, &walk, missing).await?);
        }
        if items.len() > limit {
            break;
        }
    }
    let has_more = items.len() > limit;
    items.truncate(limit);
    links::fill(db, project, &mut items).await?;
    let next = match items.last() {
        Some(last) if has_more => Some(cursor::seal(&tag, order::position(last, sort))?),
        _ => None,
    };
    Ok(Page { items, next })
}

/// The first `wanted` rows of a part.
async fn rows(db: &mut Db<'_>, walk: &Walk<'_>, wanted: u32) -> Result<Vec<TaskSummary>, Fault> {
    if walk
        .filter
        .search
        .as_ref()
        .is_some_and(|text| !text.is_empty())
    {
        return search::rows(db, walk, wanted).await;
    }
    if walk.is_exact() {
        return run(db, &exact(walk, wanted)).await;
    }
    let least = rows_at_most(db, walk).await?;
    if least <= WINDOW_ROWS {
        return run(db, &gathered(walk, wanted)).await;
    }
    let (seen, found) = look(db, walk, wanted).await?;
    if found.len() >= wanted as usize || seen < WINDOW_ROWS {
        return Ok(found);
    }
    if least <= GATHER_ROWS_MAX {
        run(db, &gathered(walk, wanted)).await
    } else {
        run(db, &filtered(walk, wanted)).await
    }
}

async fn run(db: &mut Db<'_>, sql: &Sql) -> Result<Vec<TaskSummary>, Fault> {
    sql.fetch(db).await?.iter().map(summary::read).collect()
}

/// A walk whose index holds every condition.
pub(super) fn exact(walk: &Walk<'_>, wanted: u32) -> Sql {
    let mut sql = Sql::default();
    walk.along(&mut sql, COLUMNS, &[], wanted);
    sql
}

/// A walk that tests each row, however many that are.
pub(super) fn filtered(walk: &Walk<'_>, wanted: u32) -> Sql {
    let mut sql = Sql::default();
    let rest = walk.rest(&mut sql);
    walk.along(&mut sql, COLUMNS, &rest, wanted);
    sql
}

/// All rows that match, then sorted: for few.
pub(super) fn gathered(walk: &Walk<'_>, wanted: u32) -> Sql {
    let mut sql = Sql::default();
    sql.push("WITH few AS MATERIALIZED (");
    walk.all(&mut sql, COLUMNS);
    let order = walk.order(wanted);
    sql.push(&format!(") SELECT {COLUMNS} FROM few{order}"));
    sql
}

/// The first rows along the order, and those of them that match.
pub(super) fn window(walk: &Walk<'_>, wanted: u32) -> Sql {
    let mut sql = Sql::default();
    sql.push("WITH seen AS MATERIALIZED (");
    walk.along(&mut sql, COLUMNS, &[], WINDOW_ROWS);
    let rest = walk.rest(&mut sql).join(" AND ");
    let order = walk.order(wanted);
    sql.push(&format!(
        ") SELECT total.seen, matching.* FROM (SELECT count(*) AS seen FROM seen) total \
         LEFT JOIN (SELECT {COLUMNS} FROM seen WHERE {rest}{order}) matching ON true{order}"
    ));
    sql
}

/// How many rows were looked at, and those that match.
async fn look(
    db: &mut Db<'_>,
    walk: &Walk<'_>,
    wanted: u32,
) -> Result<(u32, Vec<TaskSummary>), Fault> {
    let rows = window(walk, wanted).fetch(db).await?;
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

/// Counters of the values that a filter names. The rarest bounds the rows that match.
pub(super) const COUNT: &str = "SELECT wanted.kind, coalesce(sum(counters.count), 0)::bigint AS total \
    FROM unnest($2::text[], $3::text[]) AS wanted (kind, name) \
    LEFT JOIN counters ON counters.project_id = $1 AND counters.kind = wanted.kind AND counters.name = wanted.name \
    GROUP BY wanted.kind";

/// No more rows than this can match, so far as it is known cheaply.
async fn rows_at_most(db: &mut Db<'_>, walk: &Walk<'_>) -> Result<u32, Fault> {
    let filter = walk.filter;
    let exact = [
        ("name", &filter.name),
        ("queue", &filter.queue),
        ("worker", &filter.worker),
        ("engine", &filter.engine),
    ];
    let mut kinds = Vec::new();
    let mut names = Vec::new();
    for (kind, value) in exact {
        if let Some(value) = value {
            kinds.push(kind);
            names.push(crate::text::put(value).into_owned());
        }
    }
    for state in &walk.states {
        kinds.push("state");
        names.push(state.as_str().to_owned());
    }
    let mut least = i64::MAX;
    if !kinds.is_empty() {
        let count = db
            .sql(COUNT)
            .bind(*walk.project.as_uuid())
            .bind(kinds)
            .bind(names);
        for row in count.fetch_all(db.conn()).await? {
            least = least.min(crate::row::get(&row, "total")?);
        }
    }
    let least = u32::try_from(least.max(0)).unwrap_or(u32::MAX);
    if least <= GATHER_ROWS_MAX || (filter.since.is_none() && filter.until.is_none()) {
        return Ok(least);
    }
    Ok(least.min(rows_in_window(db, walk).await?))
}

/// Rows of the filter's time window, counted no further than matters.
pub(super) fn in_window(walk: &Walk<'_>) -> Sql {
    let mut sql = Sql::default();
    let project = sql.mark(Value::Uuid(*walk.project.as_uuid()));
    let mut conditions = vec![format!("project_id = {project}")];
    conditions.extend(walk.window(&mut sql));
    sql.push(&format!(
        "SELECT count(*) AS total FROM (SELECT FROM tasks WHERE {} LIMIT {}) counted",
        conditions.join(" AND "),
        GATHER_ROWS_MAX + 1
    ));
    sql
}

async fn rows_in_window(db: &mut Db<'_>, walk: &Walk<'_>) -> Result<u32, Fault> {
    let rows = in_window(walk).fetch(db).await?;
    let total = match rows.first() {
        Some(row) => crate::row::get::<i64>(row, "total")?,
        None => 0,
    };
    Ok(u32::try_from(total).unwrap_or(u32::MAX))
}

fn tag(project: ProjectId, filter: &TaskFilter, sort: TaskSort) -> Result<String, Fault> {
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
