//! How many rows a list is likely to match, from counters that are kept anyway.

use crate::db::Db;
use crate::fault::Fault;
use crate::{row, text};

use super::step::Step;
use super::walk::Walk;

/// Rows of a time window are counted no further than this.
pub(super) const COUNTED_ROWS_MAX: u32 = 20_000;

/// Counters of the values that a filter names.
pub(super) const COUNT: &str = "SELECT wanted.kind, coalesce(sum(counters.count), 0)::bigint AS total \
    FROM unnest($2::text[], $3::text[]) AS wanted (kind, name) \
    LEFT JOIN counters ON counters.project_id = $1 AND counters.kind = wanted.kind AND counters.name = wanted.name \
    GROUP BY wanted.kind";

/// Rows that are read to gather all matches: those of the rarest value that the filter names. `u32::MAX` when it names none.
///
/// The database does not combine two of our indexes, because all of them begin with the project.
pub(super) async fn rows_at_most(db: &mut Db<'_>, walk: &Walk<'_>) -> Result<u32, Fault> {
    let least = rarest(db, walk).await?;
    let filter = walk.filter;
    if least <= COUNTED_ROWS_MAX || (filter.since.is_none() && filter.until.is_none()) {
        return Ok(least);
    }
    let in_window = rows_in_window(db, walk).await?;
    Ok(if in_window <= COUNTED_ROWS_MAX {
        in_window
    } else {
        least
    })
}

async fn rarest(db: &mut Db<'_>, walk: &Walk<'_>) -> Result<u32, Fault> {
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
            names.push(text::put(value).into_owned());
        }
    }
    for state in &walk.states {
        kinds.push("state");
        names.push(state.as_str().to_owned());
    }
    if kinds.is_empty() {
        return Ok(u32::MAX);
    }
    let count = db
        .sql(COUNT)
        .bind(*walk.project.as_uuid())
        .bind(kinds)
        .bind(names);
    let mut least = u32::MAX;
    for row in count.fetch_all(db.conn()).await? {
        least = least.min(number(row::get(&row, "total")?));
    }
    Ok(least)
}

async fn rows_in_window(db: &mut Db<'_>, walk: &Walk<'_>) -> Result<u32, Fault> {
    let rows = Step::Counted.sql(walk, 1).fetch(db).await?;
    match rows.first() {
        Some(row) => Ok(number(row::get(row, "total")?)),
        None => Ok(0),
    }
}

fn number(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}
