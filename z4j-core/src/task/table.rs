//! The table that gives a task its state.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

use super::attempts::{ECHO_WINDOW, Mark};
use super::{EventKind, TaskState};

/// The latest time of each kind of event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Latest {
    pub(super) sent: Option<Timestamp>,
    pub(super) received: Option<Timestamp>,
    pub(super) started: Option<Timestamp>,
    pub(super) retried: Option<Timestamp>,
    pub(super) succeeded: Option<Timestamp>,
    pub(super) failed: Option<Timestamp>,
    pub(super) revoked: Option<Timestamp>,
    pub(super) rejected: Option<Timestamp>,
    pub(super) other: Option<Timestamp>,
}

/// A state and the time of the event that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: TaskState,
    pub(super) at: Timestamp,
}

/// One row: when it applies, in words, and the same as code.
pub(super) struct Rule {
    pub(super) when: &'static str,
    pub(super) gives: &'static str,
    pub(super) standing: fn(&Latest) -> Option<Standing>,
}

/// The first row that applies gives the state.
pub(super) const RULES: &[Rule] = &[
    Rule {
        when: "an end (success, failure, revoked, rejected), and no start later than the latest end; a start within 5 s of it does not count where receipts are known and none is later than the end",
        gives: "the latest end; of several at the same microsecond success, then failure, then revoked",
        standing: |t| t.end().filter(|end| !t.is_rerun_after(end.at)),
    },
    Rule {
        when: "a retry, no start at or after it, and received after it",
        gives: "received",
        standing: |t| {
            at(TaskState::Received, t.received)
                .filter(|s| t.retried > t.started && Some(s.at) > t.retried)
        },
    },
    Rule {
        when: "a retry, and no start at or after it",
        gives: "retry",
        standing: |t| at(TaskState::Retry, t.retried).filter(|_| t.retried > t.started),
    },
    Rule {
        when: "a start",
        gives: "started",
        standing: |t| at(TaskState::Started, t.started),
    },
    Rule {
        when: "received",
        gives: "received",
        standing: |t| at(TaskState::Received, t.received),
    },
    Rule {
        when: "sent",
        gives: "pending",
        standing: |t| at(TaskState::Pending, t.sent),
    },
    Rule {
        when: "nothing but events of unknown kinds",
        gives: "unknown",
        standing: |t| at(TaskState::Unknown, t.other),
    },
];

fn at(state: TaskState, at: Option<Timestamp>) -> Option<Standing> {
    at.map(|at| Standing { state, at })
}

impl Latest {
    /// The state these times give.
    pub(super) fn standing(&self) -> Standing {
        let nothing = Standing {
            state: TaskState::Unknown,
            at: Timestamp::EPOCH,
        };
        RULES
            .iter()
            .find_map(|rule| (rule.standing)(self))
            .unwrap_or(nothing)
    }

    /// Takes the time of an event; true when it is the latest of its kind.
    pub(super) fn raise(&mut self, kind: &EventKind, at: Timestamp) -> bool {
        raise(self.slot(kind), Some(at))
    }

    /// Takes the times of `other`.
    pub(super) fn join(&mut self, other: &Self) {
        for (slot, at) in self.slots().into_iter().zip(other.clone().slots()) {
            raise(slot, *at);
        }
    }

    /// Every time that is known.
    pub(super) const fn slots(&mut self) -> [&mut Option<Timestamp>; 9] {
        [
            &mut self.sent,
            &mut self.received,
            &mut self.started,
            &mut self.retried,
            &mut self.succeeded,
            &mut self.failed,
            &mut self.revoked,
            &mut self.rejected,
            &mut self.other,
        ]
    }

    /// Whether the latest start lies after `end` and begins another run. Without a receipt in between, of a task whose
    /// receipts are reported, it is another agent's late report of the start of the run that ended ([`ECHO_WINDOW`]).
    pub(super) fn is_rerun_after(&self, end: Timestamp) -> bool {
        let Some(started) = self.started.filter(|started| *started > end) else {
            return false;
        };
        let is_received = self.received.is_none_or(|received| received > end);
        is_received || started.since(end) > ECHO_WINDOW
    }

    /// The latest end.
    pub(super) fn end(&self) -> Option<Standing> {
        let ends = [
            at(TaskState::Rejected, self.rejected),
            at(TaskState::Revoked, self.revoked),
            at(TaskState::Failure, self.failed),
            at(TaskState::Success, self.succeeded),
        ];
        ends.into_iter().flatten().max_by_key(|end| end.at)
    }

    const fn slot(&mut self, kind: &EventKind) -> &mut Option<Timestamp> {
        match kind {
            EventKind::TaskSent => &mut self.sent,
            EventKind::TaskReceived => &mut self.received,
            EventKind::TaskStarted => &mut self.started,
            EventKind::TaskRetried => &mut self.retried,
            EventKind::TaskSucceeded => &mut self.succeeded,
            EventKind::TaskFailed => &mut self.failed,
            EventKind::TaskRevoked => &mut self.revoked,
            EventKind::TaskRejected => &mut self.rejected,
            _ => &mut self.other,
        }
    }
}

fn raise(slot: &mut Option<Timestamp>, at: Option<Timestamp>) -> bool {
    let is_later = at > *slot;
    if is_later {
        *slot = at;
    }
    is_later
}

/// The mark that an event of this kind leaves on the list of attempts.
pub(super) const fn mark_of(kind: &EventKind) -> Option<Mark> {
    match kind {
        EventKind::TaskReceived => Some(Mark::Received),
        EventKind::TaskStarted => Some(Mark::Began),
        EventKind::TaskRetried => Some(Mark::Retried),
        EventKind::TaskSucceeded
        | EventKind::TaskFailed
        | EventKind::TaskRevoked
        | EventKind::TaskRejected => Some(Mark::Ended),
        _ => None,
    }
}
