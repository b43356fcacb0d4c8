//! Lists in the order of receipt, read along the order of change.
//!
//! By change there is an index for each name, worker and queue; by receipt there is none, and a second set would cost ingest as
//! much as the first. It is not needed: nearly every task was received shortly before its last change, so the latest received
//! are among the latest changed. What else there is has an index of its own (`tasks_received_apart`), which is empty but for
//! tasks that ran for long, wait to be tried again, or come from a clock that is wrong.

use z4j_core::store::{TaskFilter, TaskSummary};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::row;

use super::list::{WINDOW_ROWS, rows_needed};
use super::order::Part;
use super::sql::{Sql, Value};
use super::summary::{self, COLUMNS};
use super::walk::Walk;

/// Pages that are looked at first, when all that is looked at matches.
const EXACT_PAGES: u32 = 4;
/// Rows of a second look.
const ROWS_MAX: u32 = 20_000;

/// Between receipt and last change of a task at most, for those that are found along the order of change. Longer, and a page in
/// the middle begins with more rows in vain; shorter, and more tasks are apart.
const APART_MICROS: i64 = 300_000_000;

/// What the index of the others has, in the words of its migration.
const IS_APART: &str = "state_at - received_at NOT BETWEEN 0 AND 300000000";

/// The first rows of a list by receipt, as far as a look at the latest changes tells.
struct Found {
    /// In order; no task that is not here comes before any of these.
    tasks: Vec<TaskSummary>,
    /// There are no others.
    is_all: bool,
}

/// Whether a list can be read this way, and gains from it.
pub(super) fn is_way_of(walk: &Walk<'_>) -> bool {
    walk.part == Part::Received && along_change(walk, walk.filter).is_some_and(|way| way.has_key())
}

/// Whether the list can be read this way by several indexes.
pub(super) fn has_choice(walk: &Walk<'_>) -> bool {
    walk.part == Part::Received
        && along_change(walk, walk.filter).is_some_and(|way| way.has_choice())
}

/// Whether the index by change holds every condition.
fn is_exact(walk: &Walk<'_>) -> bool {
    along_change(walk, walk.filter).is_some_and(|way| way.is_exact())
}

/// The first `wanted` rows of a part; `None` when too much of what was changed last does not match.
pub(super) async fn rows(
    db: &mut Db<'_>,
    walk: &Walk<'_>,
    wanted: u32,
) -> Result<Option<Vec<TaskSummary>>, Fault> {
    let is_page = |found: &Found| found.is_all || found.tasks.len() >= wanted as usize;
    if is_exact(walk) {
        // What is looked at matches, so that a page is among the first unless tasks run long.
        let few = wanted.saturating_mul(EXACT_PAGES);
        let found = look(db, walk, few, wanted).await?;
        if is_page(&found) {
            return Ok(Some(found.tasks));
        }
    }
    let found = look(db, walk, WINDOW_ROWS, wanted).await?;
    if is_page(&found) {
        return Ok(Some(found.tasks));
    }
    let needed = rows_needed((found.tasks.len(), WINDOW_ROWS), wanted);
    if needed > ROWS_MAX {
        return Ok(None);
    }
    let found = look(db, walk, needed, wanted).await?;
    Ok(is_page(&found).then_some(found.tasks))
}

/// Looks at `rows` tasks along the order of change and at as many that are apart.
async fn look(db: &mut Db<'_>, walk: &Walk<'_>, rows: u32, wanted: u32) -> Result<Found, Fault> {
    let answer = sql(walk, rows, wanted).fetch(db).await?;
    let mut tasks = Vec::with_capacity(answer.len());
    let mut until = None;
    for row in &answer {
        until = row::get::<Option<i64>>(row, "until")?;
        if row::get::<Option<&str>>(row, "task_id")?.is_some() {
            tasks.push(summary::read(row)?);
        }
    }
    let is_known = |task: &TaskSummary| {
        let at = task.received_at.map(Timestamp::as_micros);
        until.is_none() || at > until
    };
    tasks.retain(is_known);
    Ok(Found {
        tasks,
        is_all: until.is_none(),
    })
}

/// The statement. `until` is the time of receipt up to which a task may have been passed over; NULL when none was.
pub(super) fn sql(walk: &Walk<'_>, rows: u32, wanted: u32) -> Sql {
    let mut sql = Sql::default();
    let mut filter = walk.filter.clone();
    if let Some(received_at) = walk.after.as_ref().and_then(|after| after.value) {
        // Whoever was received before that and is not apart was changed before this.
        let end = Timestamp::from_micros(received_at.saturating_add(APART_MICROS + 1));
        filter.until = Some(filter.until.map_or(end, |until| until.min(end)));
    }
    let Some(way) = along_change(walk, &filter) else {
        return sql;
    };
    let order = walk.order(wanted);
    sql.push("WITH seen AS MATERIALIZED (");
    way.along(&mut sql, COLUMNS, rows);
    let owner = walk.owner(&mut sql);
    let beyond = walk.keyset(&mut sql);
    let beyond = beyond.map_or(String::new(), |beyond| format!(" AND {beyond}"));
    sql.push(&format!(
        "), apart AS MATERIALIZED (SELECT {COLUMNS} FROM tasks WHERE {owner} AND received_at IS NOT NULL AND {IS_APART}{beyond}{}), ",
        walk.order(rows)
    ));
    let mut rest = way.rest(&mut sql);
    rest.push(format!(
        "received_at IS NOT NULL AND NOT ({IS_APART}){beyond}"
    ));
    let rest = rest.join(" AND ");
    let every = walk.every_condition(&mut sql).join(" AND ");
    let limit = sql.mark(Value::Int(i64::from(rows)));
    sql.push(&format!(
        "ends AS (SELECT greatest((SELECT CASE WHEN count(*) >= {limit} THEN min(state_at) END FROM seen), \
             (SELECT CASE WHEN count(*) >= {limit} THEN min(received_at) END FROM apart)) AS until) \
         SELECT ends.until, matching.* FROM ends LEFT JOIN (SELECT {COLUMNS} FROM (SELECT {COLUMNS} FROM seen WHERE {rest} \
             UNION ALL SELECT {COLUMNS} FROM apart WHERE {every}) both_ways{order}) matching ON true{order}"
    ));
    sql
}

/// The same list by change.
fn along_change<'f>(walk: &Walk<'_>, filter: &'f TaskFilter) -> Option<Walk<'f>> {
    let latest = Part::Changed {
        is_descending: true,
    };
    Walk::new(walk.project, filter, latest, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_is_the_one_that_the_index_has() {
        let between = format!(" BETWEEN 0 AND {APART_MICROS}");
        assert!(IS_APART.ends_with(&between));
        let migration = include_str!("../../migrations/0004_runs_and_late_ends.sql");
        assert!(migration.contains(IS_APART));
    }
}
