//! Search: a text within task id, name or arguments.
//!
//! What is found often is found by reading tasks in order until the page is full. What is found seldom is looked up by its
//! grams, and then sorted; where the order is that of the tasks' changes, day by day, so that a full page ends it. Which of the
//! two it is, nobody knows before: so a search begins to read in order, and looks up when that finds too little. Whatever the
//! way, a hit counts only when the task's record holds the text.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sqlx::postgres::PgRow;
use z4j_core::store::{TaskPlace, TaskSummary};
use z4j_core::task::TaskRecord;

use crate::day::{Day, day_of_micros};
use crate::db::Db;
use crate::fault::Fault;
use crate::row;

use super::days::Days;
use super::needle::Needle;
use super::step::{self, Step};
use super::summary;
use super::text;
use super::walk::Walk;

/// Rows of the first look along the order.
const WINDOW_ROWS_MIN: u32 = 500;
/// Rows of one later look.
const WINDOW_ROWS_MAX: u32 = 8_000;
/// More rows than this are not read in order before the index of words was tried.
const WALK_ROWS_MAX: u64 = 8_000;
/// Tasks that are looked up at once and sorted.
pub(super) const LOOKUP_ROWS_MAX: u32 = 10_000;

/// What is known of a search by now. The parts of a list share it.
#[derive(Debug)]
pub(super) struct Clues {
    /// `None` when the index knows nothing of the text.
    needle: Option<Needle>,
    /// The days that the project's tasks are of, once the needle knows how frequent its grams are.
    span: Option<Range<Day>>,
    /// The keys of all tasks that may be hits, once they were looked up.
    all: Option<BTreeSet<(String, String)>>,
}

impl Clues {
    pub(super) fn new(text: &str) -> Self {
        Self {
            needle: Needle::new(text),
            span: None,
            all: None,
        }
    }
}

/// The first `wanted` hits of a part.
pub(super) async fn rows(
    db: &mut Db<'_>,
    clues: &mut Clues,
    walk: &Walk<'_>,
    wanted: u32,
) -> Result<Vec<TaskSummary>, Fault> {
    let mut hunt = Hunt {
        clues,
        walk: walk.clone(),
        wanted: wanted as usize,
        found: Vec::new(),
        crowd: None,
    };
    let (mut size, mut seen) = (WINDOW_ROWS_MIN, 0_u64);
    loop {
        if hunt.look(db, size).await? == Outcome::Ended {
            return Ok(hunt.found);
        }
        seen += u64::from(size);
        let (found, missing) = (hunt.found.len() as u64, hunt.missing() as u64);
        let needed = missing * seen / found.max(1);
        if (found == 0 || seen + needed > WALK_ROWS_MAX)
            && hunt.look_up(db).await? == Outcome::Ended
        {
            return Ok(hunt.found);
        }
        let wide = u32::try_from(needed).unwrap_or(WINDOW_ROWS_MAX);
        size = wide.clamp(WINDOW_ROWS_MIN, WINDOW_ROWS_MAX);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The page is full, or nothing is left.
    Ended,
    /// There may be more behind the position that was reached.
    More,
}

/// Where too many tasks may be hits, so that reading in order is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crowd {
    Everywhere,
    On(Day),
}

/// A search on its way through one part.
struct Hunt<'a> {
    clues: &'a mut Clues,
    /// Its position moves on.
    walk: Walk<'a>,
    wanted: usize,
    found: Vec<TaskSummary>,
    crowd: Option<Crowd>,
}

impl<'a> Hunt<'a> {
    fn text(&self) -> &'a str {
        self.walk.filter.search.as_deref().unwrap_or_default()
    }

    fn missing(&self) -> usize {
        self.wanted.saturating_sub(self.found.len())
    }

    /// Reads `size` tasks in order.
    async fn look(&mut self, db: &mut Db<'_>, size: u32) -> Result<Outcome, Fault> {
        let rows = Step::Records.sql(&self.walk, size).fetch(db).await?;
        self.collect(&rows)?;
        let (Some(last), false) = (rows.last(), rows.len() < size as usize) else {
            return Ok(Outcome::Ended);
        };
        self.walk.after = Some(position(last, &self.walk)?);
        Ok(if self.missing() == 0 {
            Outcome::Ended
        } else {
            Outcome::More
        })
    }

    /// Looks tasks up by their grams, from the position on.
    async fn look_up(&mut self, db: &mut Db<'_>) -> Result<Outcome, Fault> {
        if self.clues.needle.is_none() || self.crowd == Some(Crowd::Everywhere) {
            return Ok(Outcome::More);
        }
        let span = self.span(db).await?;
        let Some(mut days) = Days::after(&self.walk, &span) else {
            return self.look_everywhere(db).await;
        };
        while let Some(range) = days.next() {
            if self.crowd == Some(Crowd::On(range.start)) {
                return Ok(Outcome::More);
            }
            match self.candidates(db, Some(&range)).await? {
                Some(keys) => self.gather(db, &keys, Some(&range)).await?,
                None if range.end - range.start > 1 => {
                    days.narrow(&range);
                    continue;
                }
                None => {
                    self.crowd = Some(Crowd::On(range.start));
                    return Ok(Outcome::More);
                }
            }
            if self.missing() == 0 {
                break;
            }
            self.walk.after = Some(days.behind(&range));
        }
        Ok(Outcome::Ended)
    }

    async fn look_everywhere(&mut self, db: &mut Db<'_>) -> Result<Outcome, Fault> {
        let keys = match self.clues.all.take() {
            Some(keys) => keys,
            None => match self.candidates(db, None).await? {
                Some(keys) => keys,
                None => {
                    self.crowd = Some(Crowd::Everywhere);
                    return Ok(Outcome::More);
                }
            },
        };
        self.gather(db, &keys, None).await?;
        self.clues.all = Some(keys);
        Ok(Outcome::Ended)
    }

    /// The days of the project's tasks. The first time, the needle gets to know how frequent its grams are.
    async fn span(&mut self, db: &mut Db<'_>) -> Result<Range<Day>, Fault> {
        if let Some(span) = &self.clues.span {
            return Ok(span.clone());
        }
        let rows = step::sample(&self.walk).fetch(db).await?;
        let mut span = 0..0;
        for row in &rows {
            let (earliest, latest) = (row::get(row, "earliest")?, row::get(row, "latest")?);
            if let (Some(earliest), Some(latest)) = (earliest, latest) {
                span = day_of_micros(earliest)..day_of_micros(latest) + 1;
            }
            let record = row::get::<Option<&[u8]>>(row, "record")?;
            if let (Some(record), Some(needle)) = (record, &mut self.clues.needle) {
                needle.sample(&text::words(&row::text(row, "task_id")?, &decode(record)?));
            }
        }
        self.clues.span = Some(span.clone());
        Ok(span)
    }

    /// The keys of all tasks of `range`, or of all days, that may be hits; `None` when they are too many.
    async fn candidates(
        &self,
        db: &mut Db<'_>,
        range: Option<&Range<Day>>,
    ) -> Result<Option<BTreeSet<(String, String)>>, Fault> {
        let Some(needle) = &self.clues.needle else {
            return Ok(None);
        };
        let rows = step::candidates(&self.walk, needle, range)
            .fetch(db)
            .await?;
        let mut keys = BTreeSet::new();
        let mut places: BTreeMap<&str, u32> = BTreeMap::new();
        for row in &rows {
            *places.entry(row::get::<&str>(row, "place")?).or_default() += 1;
            keys.insert((row::text(row, "engine")?, row::text(row, "task_id")?));
        }
        let is_full = places.values().any(|count| *count >= LOOKUP_ROWS_MAX);
        Ok((!is_full).then_some(keys))
    }

    /// Adds the hits among `keys`, as far as they are wanted.
    async fn gather(
        &mut self,
        db: &mut Db<'_>,
        keys: &BTreeSet<(String, String)>,
        range: Option<&Range<Day>>,
    ) -> Result<(), Fault> {
        let mut limit = u32::try_from(self.missing()).unwrap_or(LOOKUP_ROWS_MAX);
        while !keys.is_empty() {
            let rows = step::among(&self.walk, keys, range, limit)
                .fetch(db)
                .await?;
            self.collect(&rows)?;
            match rows.last() {
                // Not all of them were hits: there may be more behind them.
                Some(last) if rows.len() >= limit as usize && self.missing() > 0 => {
                    self.walk.after = Some(position(last, &self.walk)?);
                    limit = limit.saturating_mul(4).min(LOOKUP_ROWS_MAX);
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn collect(&mut self, rows: &[PgRow]) -> Result<(), Fault> {
        let text = self.text();
        for row in rows {
            if self.missing() == 0 {
                break;
            }
            let Some(record) = row::get::<Option<&[u8]>>(row, "record")? else {
                continue;
            };
            let task_id = row::text(row, "task_id")?;
            if text::may_mention(&task_id, record, text)
                && text::mentions(&task_id, &decode(record)?, text)
            {
                self.found.push(summary::read(row)?);
            }
        }
        Ok(())
    }
}

fn decode(record: &[u8]) -> Result<TaskRecord, Fault> {
    TaskRecord::decode(record).map_err(|error| Fault::Corrupt(error.to_string()))
}

fn position(row: &PgRow, walk: &Walk<'_>) -> Result<TaskPlace, Fault> {
    let read = |column: Option<&str>| column.map(|column| row::get(row, column)).transpose();
    Ok(TaskPlace {
        value: read(walk.part.column())?,
        changed_at: read(walk.part.tie())?,
        key: summary::key(row)?,
    })
}
