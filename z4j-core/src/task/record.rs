//! Everything that is kept about one task.

use serde::{Deserialize, Serialize};

use crate::id::AgentId;
use crate::time::Timestamp;

use super::attempts::{Attempts, Mark};
use super::register::Register;
use super::table::{Latest, mark_of};
use super::{EventKind, TaskEvent, Text};

/// Moves a time, given a base.
pub(super) type Shift = fn(Timestamp, Timestamp) -> Timestamp;

/// Everything that is kept about one task: an element of a join semilattice.
///
/// # Contract
/// [`TaskRecord::absorb`] and [`TaskRecord::join`] are commutative, associative and idempotent; they never lose a fact that
/// could still be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    pub(super) first_seen: Timestamp,
    pub(super) latest: Latest,
    pub(super) attempts: Attempts,
    pub(super) lasting: Lasting,
    pub(super) outcome: Outcome,
}

/// Facts about the task, whichever attempt reported them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lasting {
    pub(super) name: Register<Text>,
    pub(super) queue: Register<Text>,
    pub(super) worker: Register<Text>,
    pub(super) agent: Register<AgentId>,
    pub(super) priority: Register<Text>,
    pub(super) args: Register<Text>,
    pub(super) kwargs: Register<Text>,
    pub(super) eta: Register<Timestamp>,
    pub(super) parent_task_id: Register<Text>,
    pub(super) root_task_id: Register<Text>,
    pub(super) tags: Register<Vec<Text>>,
    pub(super) retries: u32,
}

/// Facts about how an attempt ended, the latest of each. Which of them belong to the current attempt is for the view to say:
/// a later event can show that a start was only an echo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) result: Register<Text>,
    pub(super) exception: Register<Text>,
    pub(super) exception_message: Register<Text>,
    pub(super) traceback: Register<Text>,
    pub(super) reason: Register<Text>,
    pub(super) runtime_ms: Register<u64>,
}

impl TaskRecord {
    /// The record of a task of which only `event` is known; `None` when the event is not about a task.
    #[must_use]
    pub fn from_event(event: &TaskEvent) -> Option<Self> {
        if !event.kind.may_concern_task() {
            return None;
        }
        let mut record = Self {
            first_seen: event.at,
            latest: Latest::default(),
            attempts: Attempts::default(),
            lasting: Lasting::default(),
            outcome: Outcome::default(),
        };
        record.absorb(event);
        Some(record)
    }

    /// Takes one event; true when it said anything new. Events that are not about a task say nothing.
    pub fn absorb(&mut self, event: &TaskEvent) -> bool {
        if !event.kind.may_concern_task() {
            return false;
        }
        let is_earlier = event.at < self.first_seen;
        if is_earlier {
            self.first_seen = event.at;
        }
        let mut changed = is_earlier | self.latest.raise(&event.kind, event.at);
        if let Some(mark) = mark_of(&event.kind) {
            changed |= self.attempts.insert(event.at, mark);
        }
        changed | self.lasting.offer(event) | self.outcome.offer(event)
    }

    /// The record that knows what both know.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.first_seen = joined.first_seen.min(other.first_seen);
        joined.latest.join(&other.latest);
        joined.attempts.join(&other.attempts);
        joined.lasting.join(&other.lasting);
        joined.outcome.join(&other.outcome);
        joined
    }

    /// Facts about an outcome from before this time belong to an attempt that is over.
    pub(super) fn attempt_floor(&self) -> Timestamp {
        let ended_at = self.latest.end().map(|end| end.at);
        let began_at = match ended_at.filter(|end| !self.latest.is_rerun_after(*end)) {
            Some(end) => self.attempts.attempt_of(end, Mark::Ended).began_at,
            None => self.latest.started,
        };
        began_at.unwrap_or(Timestamp::from_micros(i64::MIN))
    }
}

impl Lasting {
    fn offer(&mut self, event: &TaskEvent) -> bool {
        let (at, facts) = (event.at, &event.facts);
        let has_tags = !facts.tags.is_empty();
        let retries = facts.retries.unwrap_or(0);
        let has_more_retries = retries > self.retries;
        self.retries = self.retries.max(retries);
        has_more_retries
            | self.name.offer(at, facts.name.as_ref())
            | self.queue.offer(at, facts.queue.as_ref())
            | self.worker.offer(at, facts.worker.as_ref())
            | self.agent.offer(at, event.agent.as_ref())
            | self.priority.offer(at, facts.priority.as_ref())
            | self.args.offer_ranked(at, facts.args.as_ref(), json_rank)
            | self
                .kwargs
                .offer_ranked(at, facts.kwargs.as_ref(), json_rank)
            | self.eta.offer(at, facts.eta.as_ref())
            | self.parent_task_id.offer(at, facts.parent_task_id.as_ref())
            | self.root_task_id.offer(at, facts.root_task_id.as_ref())
            | self.tags.offer(at, has_tags.then_some(&facts.tags))
    }

    fn join(&mut self, other: &Self) {
        self.retries = self.retries.max(other.retries);
        self.name.join(&other.name);
        self.queue.join(&other.queue);
        self.worker.join(&other.worker);
        self.agent.join(&other.agent);
        self.priority.join(&other.priority);
        self.args.join_ranked(&other.args, json_rank);
        self.kwargs.join_ranked(&other.kwargs, json_rank);
        self.eta.join(&other.eta);
        self.parent_task_id.join(&other.parent_task_id);
        self.root_task_id.join(&other.root_task_id);
        self.tags.join(&other.tags);
    }

    pub(super) fn shift(&mut self, shift: Shift, base: Timestamp) {
        self.name.shift(shift, base);
        self.queue.shift(shift, base);
        self.worker.shift(shift, base);
        self.agent.shift(shift, base);
        self.priority.shift(shift, base);
        self.args.shift(shift, base);
        self.kwargs.shift(shift, base);
        self.eta.shift(shift, base);
        self.parent_task_id.shift(shift, base);
        self.root_task_id.shift(shift, base);
        self.tags.shift(shift, base);
    }
}

/// Arguments as an array or an object say more than a text that stands for them (`"[REDACTED]"`), whichever came later.
fn json_rank(json: &Text) -> u8 {
    u8::from(json.starts_with(['[', '{']))
}

impl Outcome {
    fn offer(&mut self, event: &TaskEvent) -> bool {
        let (at, facts) = (event.at, &event.facts);
        match event.kind {
            EventKind::TaskSucceeded => {
                self.result.offer(at, facts.result.as_ref())
                    | self.runtime_ms.offer(at, facts.runtime_ms.as_ref())
            }
            EventKind::TaskFailed => {
                self.offer_error(event) | self.runtime_ms.offer(at, facts.runtime_ms.as_ref())
            }
            EventKind::TaskRetried => {
                self.offer_error(event) | self.reason.offer(at, facts.reason.as_ref())
            }
            EventKind::TaskRevoked | EventKind::TaskRejected => {
                self.reason.offer(at, facts.reason.as_ref())
            }
            _ => false,
        }
    }

    fn offer_error(&mut self, event: &TaskEvent) -> bool {
        let (at, facts) = (event.at, &event.facts);
        self.exception.offer(at, facts.exception.as_ref())
            | self
                .exception_message
                .offer(at, facts.exception_message.as_ref())
            | self.traceback.offer(at, facts.traceback.as_ref())
    }

    fn join(&mut self, other: &Self) {
        self.result.join(&other.result);
        self.exception.join(&other.exception);
        self.exception_message.join(&other.exception_message);
        self.traceback.join(&other.traceback);
        self.reason.join(&other.reason);
        self.runtime_ms.join(&other.runtime_ms);
    }

    pub(super) fn shift(&mut self, shift: Shift, base: Timestamp) {
        self.result.shift(shift, base);
        self.exception.shift(shift, base);
        self.exception_message.shift(shift, base);
        self.traceback.shift(shift, base);
        self.reason.shift(shift, base);
        self.runtime_ms.shift(shift, base);
    }
}
