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

use super::needle::Needle;
use super::order::Position;
use super::step::{Step, lookup};
use super::summary;
use super::text;
use super::walk::Walk;

/// Rows of the first look along the order.
const WINDOW_ROWS_MIN: u32 = 1_000;
/// Rows of one later look.
const WINDOW_ROWS_MAX: u32 = 8_000;
/// More rows than this are not read in order before trigrams were tried.
const WALK_ROWS_MAX: u64 = 8_000;
/// Tasks that are looked up by trigrams and sorted.
pub(super) const LOOKUP_ROWS_MAX: u32 = 10_000;

pub(super) const HAS_TRIGRAMS: &str =
    "SELECT to_regclass('task_texts_by_trigram') IS NOT NULL AS is_there";

/// The first `wanted` hits of a part.
#[expect(clippy::cast_precision_loss, reason = "a rate of small numbers")]
pub(super) async fn rows(
    db: &mut Db<'_>,
    walk: &Walk<'_>,
    wanted: u32,
) -> Result<Vec<TaskSummary>, Fault> {
    let text = walk.filter.search.as_deref().unwrap_or_default();
    let wanted = wanted as usize;
    let mut walk = walk.clone();
    let mut found = Vec::new();
    let mut may_look_up = true;
    let (mut size, mut seen) = (WINDOW_ROWS_MIN, 0_u64);
    loop {
        let rows = Step::Records.sql(&walk, size).fetch(db).await?;
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
            let rate = sure(found.len() as f64) / seen as f64;
            if let Some(rest) = look_up(db, &walk, rate, wanted - found.len()).await? {
                found.extend(rest);
                return Ok(found);
            }
        }
        let wide = u32::try_from(needed).unwrap_or(WINDOW_ROWS_MAX);
        size = wide.clamp(WINDOW_ROWS_MIN, WINDOW_ROWS_MAX);
    }
}

/// How many of `found` hits are no luck.
fn sure(found: f64) -> f64 {
    (found - 2.0 * found.sqrt()).max(0.0)
}

/// The next `wanted` hits; `None` when there is no index, or so many candidates that reading in order is better. Of the tasks
/// read so far, `rate` were hits.
async fn look_up(
    db: &mut Db<'_>,
    walk: &Walk<'_>,
    rate: f64,
    wanted: usize,
) -> Result<Option<Vec<TaskSummary>>, Fault> {
    let text = walk.filter.search.as_deref().unwrap_or_default();
    let mut needle = Needle::new(text);
    let index = db.sql(HAS_TRIGRAMS).fetch_one(db.conn()).await?;
    if needle.is_empty() || !row::get::<bool>(&index, "is_there")? {
        return Ok(None);
    }
    if sample(db, &mut needle).await? * rate > f64::from(LOOKUP_ROWS_MAX) {
        return Ok(None);
    }
    let parts = needle.parts();
    let mut walk = walk.clone();
    let mut found = Vec::new();
    loop {
        let limit = u32::try_from(wanted - found.len()).unwrap_or(u32::MAX);
        let rows = lookup(&walk, &parts, limit).fetch(db).await?;
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

/// Texts from all over the table, so that what is new does not count for all. The index is that of all projects.
pub(super) const SAMPLE: &str = "SELECT text, \
        (SELECT reltuples::float8 FROM pg_class WHERE oid = 'task_texts'::regclass) AS total \
    FROM task_texts WHERE ctid = ANY(ARRAY( \
        SELECT format('(%s,1)', place * pages / 100)::tid FROM generate_series(0, 99) AS place, \
            (SELECT pg_relation_size('task_texts') / current_setting('block_size')::bigint AS pages) size))";

/// Tells the needle how often its trigrams occur. How many texts there are.
async fn sample(db: &mut Db<'_>, needle: &mut Needle) -> Result<f64, Fault> {
    let rows = db.sql(SAMPLE).fetch_all(db.conn()).await?;
    for row in &rows {
        needle.sample(row::get(row, "text")?);
    }
    match rows.first() {
        Some(row) => row::get(row, "total"),
        None => Ok(0.0),
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
