//! The days of events: one partition each, made ahead of time; the default partition takes what is far away.
//!
//! Wherever an event is put, it is found: its day is part of its key. A missing partition costs speed and the ease of
//! dropping old days, never an event.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use z4j_core::store::IngestBatch;
use z4j_core::time::Timestamp;

use super::lane::Lane;
use crate::fault::Fault;

const DAY_MICROS: i64 = 86_400_000_000;
/// Days that are made before the first event of them comes.
const DAYS_AHEAD: i64 = 3;
/// A day that is this long over gets no partition of its own any more.
const DAYS_BACK: i64 = 30;
/// Days that stay in memory.
const DAYS_KNOWN_MAX: usize = 1_000;
/// Rows of the default partition that are counted.
const STRAYS_COUNTED_MAX: i64 = 10_000;

const EXISTING: &str =
    "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'events'::regclass";

/// A day since 1970.
pub(super) type Day = i64;

pub(super) const fn day_of(at: Timestamp) -> Day {
    at.as_micros().div_euclid(DAY_MICROS)
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

/// Makes the partitions that are missing, each in a transaction of its own. Answers what went wrong, in sentences.
pub(super) async fn make(
    lane: &Lane,
    begin: &str,
    days: &BTreeSet<Day>,
) -> Result<Vec<String>, Fault> {
    let mut troubles = Vec::new();
    for day in days {
        match make_one(lane, begin, *day).await {
            Ok(()) => {}
            Err(fault) if fault.state().is_some() => {
                lane.run("ROLLBACK").await?;
                troubles.push(format!(
                    "events of {} go to the default partition, because theirs cannot be made: {}",
                    date(*day),
                    reason(&fault)
                ));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(troubles)
}

async fn make_one(lane: &Lane, begin: &str, day: Day) -> Result<(), Fault> {
    // Another brain may make the same day now; nobody waits long for a lock, because writers would wait behind.
    lane.run(&format!(
        "{begin}; SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock(2050255471, 0)"
    ))
    .await?;
    let name = format!("events_{}", date(day).replace('-', ""));
    let existing = lane.ask(EXISTING).await?;
    if existing.contains(&name) {
        return lane.run("COMMIT").await;
    }
    let (from, until) = (day * DAY_MICROS, (day + 1) * DAY_MICROS);
    let range = format!("sent_at >= {from} AND sent_at < {until}");
    // Attaching locks out nobody who writes other days, as making the partition in place would. What the default
    // partition holds of the day moves over.
    lane.run(&format!(
        "CREATE TABLE {name} (LIKE events INCLUDING ALL);
         LOCK TABLE events_default IN ACCESS EXCLUSIVE MODE;
         WITH moved AS (DELETE FROM events_default WHERE {range} RETURNING *) INSERT INTO {name} SELECT * FROM moved;
         ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({until});
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

/// `2026-11-23`.
fn date(day: Day) -> String {
    let text = Timestamp::from_micros(day * DAY_MICROS).to_string();
    text.get(..10).unwrap_or_default().to_owned()
}

fn reason(fault: &Fault) -> String {
    match fault {
        Fault::Wire(error) => error
            .as_db_error()
            .map_or_else(|| error.to_string(), |error| error.message().to_owned()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_named_by_its_date() {
        let at: Timestamp = "2026-11-23T23:59:59.999999Z".parse().unwrap();
        assert_eq!(date(day_of(at)), "2026-11-23");
        assert_eq!(
            day_of(at) + 1,
            day_of(Timestamp::from_micros(at.as_micros() + 1))
        );
    }
}
