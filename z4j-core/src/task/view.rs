//! What a record shows.

use crate::id::AgentId;
use crate::time::Timestamp;

use super::attempts::{Attempt, Mark};
use super::{TaskRecord, TaskState, Text};

/// What a record shows: its state, and the facts that belong to it.
///
/// Times, error and result are those of the current attempt; an earlier attempt's are never shown for a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskView<'a> {
    /// Where the task is.
    pub state: TaskState,
    /// The time of the event that gave the state.
    pub state_at: Timestamp,
    /// The earliest time that any event of the task names.
    pub first_seen: Timestamp,
    /// The registered name.
    pub name: Option<&'a str>,
    /// The queue it came through last.
    pub queue: Option<&'a str>,
    /// The worker that had it last.
    pub worker: Option<&'a str>,
    /// The agent that reported it last.
    pub agent: Option<AgentId>,
    /// A label or a number, as the engine writes it.
    pub priority: Option<&'a str>,
    /// Positional arguments, JSON text.
    pub args: Option<&'a str>,
    /// Named arguments, JSON text.
    pub kwargs: Option<&'a str>,
    /// What it returned, JSON text; only of a success.
    pub result: Option<&'a str>,
    /// The class of the error; only of a failure or a retry.
    pub exception: Option<&'a str>,
    /// The error's own words; only of a failure or a retry.
    pub exception_message: Option<&'a str>,
    /// Where the error came from; only of a failure or a retry.
    pub traceback: Option<&'a str>,
    /// Why it was retried, revoked or rejected.
    pub reason: Option<&'a str>,
    /// Attempts after the first one: as counted by the engine or as seen here, whichever is more.
    pub retry_count: u32,
    /// Not to be started before this time.
    pub eta: Option<Timestamp>,
    /// When it was handed to a broker.
    pub sent_at: Option<Timestamp>,
    /// When a worker took the current attempt.
    pub received_at: Option<Timestamp>,
    /// When the current attempt began.
    pub started_at: Option<Timestamp>,
    /// When the task ended.
    pub finished_at: Option<Timestamp>,
    /// How long the attempt that ended ran: as measured by the engine, else from start to end.
    pub runtime_ms: Option<u64>,
    /// How long the current attempt waited between received and started.
    pub wait_ms: Option<u64>,
    /// The task that started this one.
    pub parent_task_id: Option<&'a str>,
    /// The first task of the tree.
    pub root_task_id: Option<&'a str>,
    /// Labels.
    pub tags: &'a [Text],
}

impl TaskRecord {
    /// Where the task is.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.latest.standing().state
    }

    /// The time of the event that gave the state.
    #[must_use]
    pub fn state_at(&self) -> Timestamp {
        self.latest.standing().at
    }

    /// The registered name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.lasting.name.value().map(AsRef::as_ref)
    }

    /// The queue it came through last.
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        self.lasting.queue.value().map(AsRef::as_ref)
    }

    /// The worker that had it last.
    #[must_use]
    pub fn worker(&self) -> Option<&str> {
        self.lasting.worker.value().map(AsRef::as_ref)
    }

    /// Everything the record shows.
    #[must_use]
    pub fn view(&self) -> TaskView<'_> {
        let standing = self.latest.standing();
        let (state, state_at) = (standing.state, standing.at);
        let attempt = self.attempt_shown(state, state_at);
        let facts = &self.lasting;
        let errors =
            matches!(state, TaskState::Failure | TaskState::Retry).then_some(&self.outcome);
        let finished_at = state.is_terminal().then_some(state_at);
        let floor = self.attempt_floor();
        TaskView {
            state,
            state_at,
            first_seen: self.first_seen,
            name: self.name(),
            queue: self.queue(),
            worker: self.worker(),
            agent: facts.agent.value().copied(),
            priority: as_str(facts.priority.value()),
            args: as_str(facts.args.value()),
            kwargs: as_str(facts.kwargs.value()),
            result: as_str(self.outcome.result.value_since(floor))
                .filter(|_| state == TaskState::Success),
            exception: errors.and_then(|outcome| as_str(outcome.exception.value_since(floor))),
            exception_message: errors
                .and_then(|outcome| as_str(outcome.exception_message.value_since(floor))),
            traceback: errors.and_then(|outcome| as_str(outcome.traceback.value_since(floor))),
            reason: as_str(self.outcome.reason.value_since(floor)).filter(|_| shows_reason(state)),
            retry_count: self.retry_count(),
            eta: facts.eta.value().copied(),
            sent_at: self.latest.sent,
            received_at: attempt.received_at,
            started_at: attempt.began_at,
            finished_at,
            runtime_ms: finished_at.and_then(|end| self.runtime_ms(floor, attempt, end)),
            wait_ms: attempt
                .received_at
                .zip(attempt.began_at)
                .map(|(from, to)| millis_between(from, to)),
            parent_task_id: as_str(facts.parent_task_id.value()),
            root_task_id: as_str(facts.root_task_id.value()),
            tags: facts.tags.value().map_or(&[], Vec::as_slice),
        }
    }

    /// Attempts after the first one.
    #[must_use]
    pub fn retry_count(&self) -> u32 {
        self.lasting.retries.max(self.attempts.retry_count())
    }

    fn attempt_shown(&self, state: TaskState, state_at: Timestamp) -> Attempt {
        match state {
            TaskState::Success | TaskState::Failure | TaskState::Revoked | TaskState::Rejected => {
                self.attempts.attempt_of(state_at, Mark::Ended)
            }
            TaskState::Retry => self.attempts.attempt_of(state_at, Mark::Retried),
            TaskState::Started => self.attempts.attempt_of(state_at, Mark::Began),
            TaskState::Received => self.attempts.attempt_of(state_at, Mark::Received),
            TaskState::Pending | TaskState::Lost | TaskState::Unknown => Attempt::default(),
        }
    }

    fn runtime_ms(&self, floor: Timestamp, attempt: Attempt, end: Timestamp) -> Option<u64> {
        let measured = self.outcome.runtime_ms.value_since(floor).copied();
        measured.or_else(|| attempt.began_at.map(|start| millis_between(start, end)))
    }
}

const fn shows_reason(state: TaskState) -> bool {
    matches!(
        state,
        TaskState::Retry | TaskState::Revoked | TaskState::Rejected
    )
}

fn as_str(text: Option<&Text>) -> Option<&str> {
    text.map(AsRef::as_ref)
}

fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}
