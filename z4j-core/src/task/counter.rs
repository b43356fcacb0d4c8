//! Numbers that follow from records.

use std::collections::BTreeMap;

use crate::time::Timestamp;

use super::{TaskRecord, TaskState};

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterKey {
    /// Tasks that are in this state.
    State(TaskState),
    /// Tasks that reached this end in this minute and are still there; for [`TaskState::Retry`], retries announced in this minute.
    Minute {
        /// The start of the minute.
        minute: Timestamp,
        /// A terminal state or [`TaskState::Retry`].
        state: TaskState,
    },
}

/// Every counter that a record stands in, and how often.
#[must_use]
pub fn counters_of(record: &TaskRecord) -> Vec<(CounterKey, i64)> {
    let mut sums = BTreeMap::new();
    add(&mut sums, record, 1);
    sums.into_iter().collect()
}

/// How counters move when `old` becomes `new`; without zeros, sorted.
///
/// # Contract
/// The sum of all deltas of a task equals [`counters_of`] its final record, so counters always equal their recomputation.
#[must_use]
pub fn counter_delta(old: Option<&TaskRecord>, new: &TaskRecord) -> Vec<(CounterKey, i64)> {
    let mut sums = BTreeMap::new();
    if let Some(old) = old {
        add(&mut sums, old, -1);
    }
    add(&mut sums, new, 1);
    sums.into_iter().filter(|(_, sum)| *sum != 0).collect()
}

fn add(sums: &mut BTreeMap<CounterKey, i64>, record: &TaskRecord, sign: i64) {
    let state = record.state();
    *sums.entry(CounterKey::State(state)).or_default() += sign;
    if state.is_terminal() {
        let minute = record.state_at().floor_minute();
        *sums
            .entry(CounterKey::Minute { minute, state })
            .or_default() += sign;
    }
    for at in record.attempts.retry_times() {
        let key = CounterKey::Minute {
            minute: at.floor_minute(),
            state: TaskState::Retry,
        };
        *sums.entry(key).or_default() += sign;
    }
}
