//! Search: a text within task id, name or arguments.
//!
//! What is found often is found by reading tasks in order until the page is full. What is found seldom is looked up by its
//! trigrams, and then sorted. Which of the two it is, nobody knows before: so a search begins to read in order, and looks up
//! when that finds too little. Whatever the way, a hit counts only when the task's record holds the text.

use sqlx::postgres::PgRow;
use z4j_core::store::TaskSummary;
use z4j_core::task::TaskRecord;

use crate::db::Db;
use crate::fault::Fault;
use crate::row;

use super::order::Position;
use super::sql::{Sql, Value};
use super::summary::{self, COLUMNS};
use super::text;
use super::walk::Walk;

/// Rows of the first look along the order.
const WINDOW_ROWS_MIN: u32 = 1_000;
/// Rows of one later look.
const WINDOW_ROWS_MAX: u32 = 8_000;
/// More rows than this are not read in order before trigrams were tried.
const WALK_ROWS_MAX: u64 = 8_000;
/// Tasks that are looked up by trigrams and sorted.
const LOOKUP_ROWS_MAX: u32 = 10_000;

/// Keeps the planner from reading all texts in the hope of an early end.
const INDEXES_ONLY: &str = "SET LOCAL enable_seqscan = off";
pub(super) const HAS_TRIGRAMS: &str =
    "SELECT to_regclass('task_texts_by_trigram') IS NOT NULL AS is_there";

/// The first `wanted` hits of a part.
pub(super) async fn rows(
    db: &mut Db<'_>,
    walk: &Walk<'_>,
    wanted: u32,
) -> Result<Vec<TaskSummary>, Fault> {
    let text = walk.filter.search.as_deref().unwrap_or_default();
    let wanted = wanted as usize;
    let mut walk = walk.clone();
    let mut found = Vec::new();
    let mut may_look_up = text::has_trigrams(text);
    let (mut size, mut seen) = (WINDOW_ROWS_MIN, 0_u64);
    loop {
        let rows = window(&walk, size).fetch(db).await?;
        collect(&rows, text, &mut found)?;
        found.truncate(wanted);
        let (Some(last), false) = (rows.last(), rows.len() < size as usize) else {
            return Ok(found);
        };
        if found.len() >= wanted {
            return Ok(found);
        }
        walk.after = Some(position(last, &walk)?);
        seen += u64::from(size);
        let needed = (wanted - found.len()) as u64 * seen / (found.len() as u64).max(1);
        if may_look_up && (found.is_empty() || seen + needed > WALK_ROWS_MAX) {
            may_look_up = false;
            if let Some(rest) = look_up(db, &walk, text, wanted - found.len()).await? {
                found.extend(rest);
                return Ok(found);
            }
        }
        let wide = u32::try_from(needed).unwrap_or(WINDOW_ROWS_MAX);
        size = wide.clamp(WINDOW_ROWS_MIN, WINDOW_ROWS_MAX);
    }
}

/// Rows along the order, with the record of those that match all but the search.
pub(super) fn window(walk: &Walk<'_>, size: u32) -> Sql {
    let mut sql = Sql::default();
    let rest = walk.rest(&mut sql);
    let record = if rest.is_empty() {
        "record".to_owned()
    } else {
        format!("CASE WHEN {} THEN record END AS record", rest.join(" AND "))
    };
    walk.along(&mut sql, &format!("{COLUMNS}, {record}"), &[], size);
    sql
}

/// Tasks whose kept text holds what is looked for, in order, unless they are too many.
pub(super) fn lookup(walk: &Walk<'_>, text: &str, limit: u32) -> Sql {
    let mut sql = Sql::default();
    let owner = walk.owner(&mut sql);
    let pattern = sql.mark(Value::Text(text::pattern(walk.project, text)));
    let of = |table: &str| {
        format!(
            "(SELECT engine, task_id FROM {table} WHERE {owner} AND text LIKE {pattern} LIMIT {LOOKUP_ROWS_MAX})"
        )
    };
    let (old, new) = (of("task_texts"), of("task_texts_new"));
    let mut conditions = vec![
        owner,
        "tasks.engine = held.engine".to_owned(),
        "tasks.task_id = held.task_id".to_owned(),
    ];
    conditions.extend(walk.every_condition(&mut sql));
    let conditions = conditions.join(" AND ");
    let order = walk.order(limit);
    // OFFSET keeps the database from reading all tasks to join them.
    sql.push(&format!(
        "WITH held AS MATERIALIZED ({old} UNION {new}) \
         SELECT total.held, hits.* FROM (SELECT count(*) AS held FROM held) total \
         LEFT JOIN (SELECT task.* FROM held CROSS JOIN LATERAL \
         (SELECT {COLUMNS}, record FROM tasks WHERE {conditions} OFFSET 0) task \
         WHERE (SELECT count(*) FROM held) < {LOOKUP_ROWS_MAX}{order}) hits ON true{order}"
    ));
    sql
}

/// The next `wanted` hits; `None` when there is no index, or so many candidates that reading in order is better.
async fn look_up(
    db: &mut Db<'_>,
    walk: &Walk<'_>,
    text: &str,
    wanted: usize,
) -> Result<Option<Vec<TaskSummary>>, Fault> {
    let index = db.sql(HAS_TRIGRAMS).fetch_one(db.conn()).await?;
    if !row::get::<bool>(&index, "is_there")? {
        return Ok(None);
    }
    db.sql(INDEXES_ONLY).execute(db.conn()).await?;
    let mut walk = walk.clone();
    let mut found = Vec::new();
    loop {
        let limit = u32::try_from(wanted - found.len()).unwrap_or(u32::MAX);
        let rows = lookup(&walk, text, limit).fetch(db).await?;
        let held = match rows.first() {
            Some(row) => row::get::<i64>(row, "held")?,
            None => 0,
        };
        if held >= i64::from(LOOKUP_ROWS_MAX) {
            return Ok(None);
        }
        let hits: Vec<PgRow> = rows
            .into_iter()
            .filter(|row| !matches!(row::get::<Option<&str>>(row, "task_id"), Ok(None)))
            .collect();
        collect(&hits, text, &mut found)?;
        match hits.last() {
            // Texts of an older state of their task: there may be more hits behind them.
            Some(last) if hits.len() >= limit as usize && found.len() < wanted => {
                walk.after = Some(position(last, &walk)?);
            }
            _ => return Ok(Some(found)),
        }
    }
}

fn collect(rows: &[PgRow], text: &str, found: &mut Vec<TaskSummary>) -> Result<(), Fault> {
    for row in rows {
        let Some(record) = row::get::<Option<&[u8]>>(row, "record")? else {
            continue;
        };
        let task_id = row::text(row, "task_id")?;
        if !text::may_mention(&task_id, record, text) {
            continue;
        }
        let record =
            TaskRecord::decode(record).map_err(|error| Fault::Corrupt(error.to_string()))?;
        if text::mentions(&task_id, &record, text) {
            found.push(summary::read(row)?);
        }
    }
    Ok(())
}

fn position(row: &PgRow, walk: &Walk<'_>) -> Result<Position, Fault> {
    let value = match walk.part.column() {
        Some(column) => Some(row::get(row, column)?),
        None => None,
    };
    Ok((value, row::text(row, "engine")?, row::text(row, "task_id")?))
}
