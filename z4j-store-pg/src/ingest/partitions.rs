//! The days of events and of searched words: one partition each, made ahead of time; the default partition takes what is
//! far away.
//!
//! Wherever a row is put, it is found: its day is part of its key. A missing partition costs speed and the ease of
//! dropping old days, never a row.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use z4j_core::store::IngestBatch;
use z4j_core::time::Timestamp;

use super::lane::Lane;
use crate::day::{Day, date, day_of, start_micros};
use crate::fault::Fault;

/// Days that are made before the first event of them comes.
const DAYS_AHEAD: i64 = 3;
/// A day that is this long over gets no partition of its own any more.
const DAYS_BACK: i64 = 30;
/// Days that stay in memory.
const DAYS_KNOWN_MAX: usize = 1_000;
/// Rows of the default partition that are counted.
const STRAYS_COUNTED_MAX: i64 = 10_000;

/// A table that is parted by days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parted {
    /// By the time that an event names.
    Events,
    /// By the time of the task's state. Indexes of its days are made by themselves, because nobody wants statistics of grams.
    Words,
}

impl Parted {
    const ALL: [Self; 2] = [Self::Events, Self::Words];

    const fn table(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Words => "task_texts",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Events => "sent_at",
            Self::Words => "at",
        }
    }

    /// Makes the table of a day, which no one sees yet.
    fn create(self, name: &str) -> String {
        match self {
            Self::Events => format!("CREATE TABLE {name} (LIKE events INCLUDING ALL)"),
            Self::Words => format!(
                "CREATE TABLE {name} (LIKE task_texts INCLUDING DEFAULTS);
                 CREATE INDEX {name}_by_gram ON {name} USING gin (task_text_grams(words)) WITH (gin_pending_list_limit = 65536);
                 ALTER INDEX {name}_by_gram ALTER COLUMN 1 SET STATISTICS 0"
            ),
        }
    }
}

/// The days that need no look any more: their partition is there, or could not be made.
#[derive(Debug, Default)]
pub(super) struct Days {
    settled: Mutex<BTreeSet<Day>>,
}

impl Days {
    /// The days around now whose partition may be missing, among them those of the batch.
    pub(super) fn wanted(&self, batch: &IngestBatch) -> BTreeSet<Day> {
        let today = day_of(batch.received_at);
        let sent = batch.events.iter().map(|event| day_of(event.sent_at));
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        sent.filter(|day| (today - DAYS_BACK..=today + DAYS_AHEAD).contains(day))
            .filter(|day| !settled.contains(day))
            .collect()
    }

    pub(super) fn settle(&self, days: &BTreeSet<Day>) {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled.extend(days);
        while settled.len() > DAYS_KNOWN_MAX {
            settled.pop_first();
        }
    }

    /// What could not be made is tried again.
    pub(super) fn forget(&self) {
        self.settled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// The days that are always made.
pub(super) fn around(now: Timestamp) -> BTreeSet<Day> {
    let today = day_of(now);
    (today - 1..=today + DAYS_AHEAD).collect()
}

/// Makes the partitions that are missing, each in a transaction of its own that `begin` begins. Answers what went wrong, in
/// sentences. When one cannot be had now, the others are left for the next time, and so they are after one that takes too long
/// when somebody `waits`.
pub(super) async fn make(
    lane: &Lane,
    (begin, waits): (&str, bool),
    days: &BTreeSet<Day>,
) -> Result<Vec<String>, Fault> {
    let mut troubles = Vec::new();
    for (day, parted) in days
        .iter()
        .flat_map(|day| Parted::ALL.map(|parted| (*day, parted)))
    {
        match make_one(lane, begin, parted, day).await {
            Ok(()) => {}
            Err(fault) if fault.state().is_some() => {
                lane.run("ROLLBACK").await?;
                troubles.push(format!(
                    "rows of {} for {} go to the default partition, because theirs cannot be made: {}",
                    parted.table(),
                    date(day),
                    reason(&fault)
                ));
                if fault.is_locked_out() || (waits && fault.is_cancelled()) {
                    break;
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(troubles)
}

async fn make_one(lane: &Lane, begin: &str, parted: Parted, day: Day) -> Result<(), Fault> {
    // Another brain may make the same day now; nobody waits long for a lock, because writers would wait behind.
    lane.run(&format!(
        "{begin}; SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock(2050255471, 0)"
    ))
    .await?;
    let (table, column) = (parted.table(), parted.column());
    let name = format!("{table}_{}", date(day).replace('-', ""));
    let existing = lane
        .ask(&format!(
            "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
             WHERE i.inhparent = '{table}'::regclass"
        ))
        .await?;
    if existing.contains(&name) {
        return lane.run("COMMIT").await;
    }
    let (from, until) = (start_micros(day), start_micros(day + 1));
    let range = format!("{column} >= {from} AND {column} < {until}");
    let create = parted.create(&name);
    // Attaching locks out nobody who writes other days, as making the partition in place would. What the default
    // partition holds of the day moves over.
    lane.run(&format!(
        "{create};
         LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE;
         WITH moved AS (DELETE FROM {table}_default WHERE {range} RETURNING *) INSERT INTO {name} SELECT * FROM moved;
         ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({until});
         COMMIT"
    ))
    .await
}

/// A sentence when events lie in the default partition; days make it large only where clocks are wrong.
pub(super) async fn watch_default(lane: &Lane, begin: &str) -> Result<Option<String>, Fault> {
    lane.run(begin).await?;
    let count = format!(
        "SELECT count(*)::text FROM (SELECT 1 FROM events_default LIMIT {}) AS strays",
        STRAYS_COUNTED_MAX + 1
    );
    let found = lane.ask(&count).await?;
    lane.run("COMMIT").await?;
    let strays: i64 = found
        .first()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    Ok(match strays {
        0 => None,
        _ if strays > STRAYS_COUNTED_MAX => Some(format!(
            "more than {STRAYS_COUNTED_MAX} events lie in the default partition: their times are far from now"
        )),
        _ => Some(format!(
            "{strays} events lie in the default partition: their times are far from now"
        )),
    })
}

fn reason(fault: &Fault) -> String {
    match fault {
        Fault::Wire(error) => error
            .as_db_error()
            .map_or_else(|| error.to_string(), |error| error.message().to_owned()),
        other => other.to_string(),
    }
}
