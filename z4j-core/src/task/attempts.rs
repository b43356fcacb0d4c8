//! The attempts of a task, as a set of times.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How many marks of one task are kept: the latest ones. Some 64 attempts of four marks each.
///
/// Keeping the greatest N of a union is itself order-free, so the cap does not disturb the merge; past it,
/// [`Attempts::retry_count`] stops growing (a count reported by the engine still does).
const MARKS_MAX: usize = 256;

/// How far behind the end of an attempt another agent's report of its start may be stamped.
///
/// Published Celery agents stamp the time at which they look at the broker, so a second agent's copy of a start can lie after
/// the first agent's copy of the end; some 10 ms were seen. A task that is really run again is received again first.
pub(super) const ECHO_WINDOW: Duration = Duration::from_secs(5);

/// What a mark says. The order is the order of marks of the same microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Mark {
    /// A worker took the task.
    Received,
    /// An attempt ended and another one will follow.
    Retried,
    /// An attempt began.
    Began,
    /// An attempt ended for good.
    Ended,
}

/// The times at which attempts were received, began and ended; sorted, without repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempts(Vec<(Timestamp, Mark)>);

/// The times of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) received_at: Option<Timestamp>,
    pub(super) began_at: Option<Timestamp>,
}

/// Ends of attempts with no beginning between them: one end, reported once or more.
struct EndGroup {
    retried_at: Option<Timestamp>,
    is_followed: bool,
}

impl Attempts {
    /// Adds a mark; true when it is new and kept.
    pub(super) fn insert(&mut self, at: Timestamp, mark: Mark) -> bool {
        let entry = (at, mark);
        let Err(mut position) = self.0.binary_search(&entry) else {
            return false;
        };
        if self.0.len() >= MARKS_MAX {
            if position == 0 {
                return false;
            }
            self.0.remove(0);
            position -= 1;
        }
        self.0.insert(position, entry);
        true
    }

    /// Adds every mark of `other`.
    pub(super) fn join(&mut self, other: &Self) {
        for (at, mark) in other.0.iter().rev() {
            self.insert(*at, *mark);
        }
    }

    /// Every time on the list, to be moved by the same distance.
    pub(super) fn times(&mut self) -> impl Iterator<Item = &mut Timestamp> {
        self.0.iter_mut().map(|(at, _)| at)
    }

    /// The attempt that the mark `(at, mark)` belongs to.
    ///
    /// Ends of one kind with no beginning between them are reports of the same end.
    pub(super) fn attempt_of(&self, at: Timestamp, mark: Mark) -> Attempt {
        let mut received_at = None;
        let marks: Vec<_> = self.marks().filter(|entry| *entry <= (at, mark)).collect();
        for entry in marks.iter().rev() {
            match entry {
                (time, Mark::Began) => {
                    return Attempt {
                        received_at: self.received_before(*time),
                        began_at: Some(*time),
                    };
                }
                (time, Mark::Received) => {
                    received_at.get_or_insert(*time);
                }
                (_, kind) if *kind == mark => {}
                (_, Mark::Retried | Mark::Ended) => break,
            }
        }
        Attempt {
            received_at,
            began_at: None,
        }
    }

    /// When the attempt that began at `began_at` was received.
    ///
    /// Engines hand out the next attempt before they report that the last one is retried, so the search goes past the end
    /// of the last attempt, up to its beginning.
    fn received_before(&self, began_at: Timestamp) -> Option<Timestamp> {
        let mut is_past_end = false;
        let before = (began_at, Mark::Began);
        let marks: Vec<_> = self.marks().filter(|entry| *entry < before).collect();
        for (time, mark) in marks.iter().rev() {
            match mark {
                Mark::Received => return Some(*time),
                Mark::Retried | Mark::Ended => is_past_end = true,
                Mark::Began if is_past_end => return self.overtaken_by(*time),
                Mark::Began => {}
            }
        }
        None
    }

    /// The receipt that lies before the start at `began_at` and belongs to the attempt after it.
    ///
    /// Starts are stamped when an agent looks at the broker, some 10 ms late: an attempt that ends at once has handed out the
    /// next one by then. It shows by a receipt on each side of the end before: the earlier one is this attempt's own.
    fn overtaken_by(&self, began_at: Timestamp) -> Option<Timestamp> {
        let before = (began_at, Mark::Began);
        let marks: Vec<_> = self.marks().filter(|entry| *entry < before).collect();
        let mut marks = marks
            .iter()
            .rev()
            .take_while(|(_, mark)| *mark != Mark::Began);
        let (latest, Mark::Received) = marks.next()? else {
            return None;
        };
        let mut own = marks.skip_while(|(_, mark)| *mark == Mark::Received);
        own.any(|(_, mark)| *mark == Mark::Received)
            .then_some(*latest)
    }

    /// How many attempts followed, or are about to follow, another one.
    pub(super) fn retry_count(&self) -> u32 {
        let count = self
            .end_groups()
            .filter(|group| group.is_followed || group.retried_at.is_some())
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// When each retry was announced, oldest first.
    pub(super) fn retry_times(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.end_groups().filter_map(|group| group.retried_at)
    }

    /// The marks without echoes: starts that lie shortly after an end although nothing was received in between, of a task
    /// whose receipts are reported. A start after a retry was announced and is never an echo.
    fn marks(&self) -> impl Iterator<Item = (Timestamp, Mark)> + '_ {
        let has_receipts = self.0.iter().any(|(_, mark)| *mark == Mark::Received);
        let mut is_received = !has_receipts;
        let mut ended_at: Option<Timestamp> = None;
        self.0.iter().copied().filter(move |(at, mark)| {
            match mark {
                Mark::Received => is_received = true,
                // Many engines report one receipt for all attempts.
                Mark::Retried => ended_at = None,
                Mark::Ended => (ended_at, is_received) = (Some(*at), !has_receipts),
                Mark::Began => {
                    let is_soon = ended_at.is_some_and(|end| at.since(end) <= ECHO_WINDOW);
                    if is_soon && !is_received {
                        return false;
                    }
                    (ended_at, is_received) = (None, !has_receipts);
                }
            }
            true
        })
    }

    fn end_groups(&self) -> impl Iterator<Item = EndGroup> + '_ {
        let mut marks = self.marks();
        std::iter::from_fn(move || {
            let mut group: Option<EndGroup> = None;
            for (at, mark) in marks.by_ref() {
                match (mark, group.as_mut()) {
                    (Mark::Received, _) | (Mark::Began, None) => {}
                    (Mark::Began, Some(group)) => {
                        group.is_followed = true;
                        break;
                    }
                    (Mark::Retried | Mark::Ended, found) => {
                        let retried_at = (mark == Mark::Retried).then_some(at);
                        match found {
                            Some(group) => group.retried_at = retried_at.or(group.retried_at),
                            None => {
                                group = Some(EndGroup {
                                    retried_at,
                                    is_followed: false,
                                });
                            }
                        }
                    }
                }
            }
            group
        })
    }
}
