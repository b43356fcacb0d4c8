//! Counts, read from counters that move with the tasks. A counter is a sum over its shards.

use sqlx::postgres::PgRow;
use z4j_core::id::ProjectId;
use z4j_core::store::{Facet, Facets, MinuteCount, StateCount};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::row;

const MINUTE_MICROS: i64 = 60_000_000;

pub(super) const SELECT_STATES: &str = "SELECT name AS state, sum(count)::bigint AS count FROM counters \
    WHERE project_id = $1 AND kind = 'state' GROUP BY name HAVING sum(count) > 0";

pub(super) async fn states(db: &mut Db<'_>, project: ProjectId) -> Result<Vec<StateCount>, Fault> {
    let select = db.sql(SELECT_STATES).bind(*project.as_uuid());
    let rows = select.fetch_all(db.conn()).await?;
    let mut counts = rows.iter().map(read_state).collect::<Result<Vec<_>, _>>()?;
    counts.sort_by_key(|count| count.state);
    Ok(counts)
}

fn read_state(row: &PgRow) -> Result<StateCount, Fault> {
    Ok(StateCount {
        state: row::parse(row, "state")?,
        count: row::count(row, "count")?,
    })
}

pub(super) const SELECT_MINUTES: &str = "SELECT name, sum(count)::bigint AS count FROM counters \
    WHERE project_id = $1 AND kind = 'minute' AND name >= $2 AND name < $3 GROUP BY name HAVING sum(count) > 0";

pub(super) async fn minutes(
    db: &mut Db<'_>,
    project: ProjectId,
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<MinuteCount>, Fault> {
    let first = since.as_micros().div_euclid(MINUTE_MICROS);
    // The first minute that is not wanted any more: `until` is excluded, the minute that it is within is not.
    let end = until
        .as_micros()
        .saturating_sub(1)
        .div_euclid(MINUTE_MICROS)
        + 1;
    let select = db
        .sql(SELECT_MINUTES)
        .bind(*project.as_uuid())
        .bind(minute_name(first))
        .bind(minute_name(end));
    let rows = select.fetch_all(db.conn()).await?;
    let mut counts = rows
        .iter()
        .map(read_minute)
        .collect::<Result<Vec<_>, _>>()?;
    counts.sort_by_key(|count| (count.minute, count.state));
    Ok(counts)
}

/// How names of a minute's counters begin. Names of a range of minutes are a range of names.
fn minute_name(minute: i64) -> String {
    format!("{:012}", minute.max(0))
}

fn read_minute(row: &PgRow) -> Result<MinuteCount, Fault> {
    let unreadable = || Fault::Corrupt("a counter of no minute".to_owned());
    let name: &str = row::get(row, "name")?;
    let (minute, state) = name.split_once(':').ok_or_else(unreadable)?;
    let minute: i64 = minute.parse().map_err(|_| unreadable())?;
    Ok(MinuteCount {
        minute: Timestamp::from_micros(minute.saturating_mul(MINUTE_MICROS)),
        state: state.parse().map_err(|_| unreadable())?,
        count: row::count(row, "count")?,
    })
}

pub(super) const SELECT_FACET: &str = "SELECT name, sum(count)::bigint AS count FROM counters \
    WHERE project_id = $1 AND kind = $2 GROUP BY name HAVING sum(count) > 0 ORDER BY 2 DESC, name LIMIT $3";

pub(super) async fn facets(
    db: &mut Db<'_>,
    project: ProjectId,
    limit: u32,
) -> Result<Facets, Fault> {
    Ok(Facets {
        names: facet(db, project, "name", limit).await?,
        queues: facet(db, project, "queue", limit).await?,
        workers: facet(db, project, "worker", limit).await?,
        engines: facet(db, project, "engine", limit).await?,
    })
}

async fn facet(
    db: &mut Db<'_>,
    project: ProjectId,
    kind: &str,
    limit: u32,
) -> Result<Vec<Facet>, Fault> {
    let select = db
        .sql(SELECT_FACET)
        .bind(*project.as_uuid())
        .bind(kind.to_owned())
        .bind(i64::from(limit));
    let rows = select.fetch_all(db.conn()).await?;
    let read = |row: &PgRow| {
        Ok(Facet {
            value: row::text(row, "name")?,
            count: row::count(row, "count")?,
        })
    };
    rows.iter().map(read).collect()
}
