//! What one event does to a record.

use crate::time::Timestamp;

use super::{TaskEvent, TaskRecord, TaskState};

/// What an event does to what is known.
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event advances: a box would cost each of them an allocation"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It says something new: this is the record now.
    Advance(TaskRecord),
    /// It says nothing new.
    Absorb(AbsorbReason),
    /// It cannot be taken.
    Refuse(RefuseReason),
}

/// Why an event changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbsorbReason {
    /// All that it says is known: a resend, a report of another agent, or older than what is known.
    AlreadyKnown,
}

/// Why an event cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefuseReason {
    /// It is about a worker, a queue or a schedule.
    NotAboutATask,
}

/// Merges one event into what is known of its task.
///
/// # Contract
/// Total and pure. Any order of the same events, with any repeats, ends in the same record.
pub fn apply(current: Option<&TaskRecord>, event: &TaskEvent) -> Verdict {
    if !event.kind.may_concern_task() {
        return Verdict::Refuse(RefuseReason::NotAboutATask);
    }
    let Some(current) = current else {
        return TaskRecord::from_event(event).map_or(
            Verdict::Refuse(RefuseReason::NotAboutATask),
            Verdict::Advance,
        );
    };
    let mut record = current.clone();
    if record.absorb(event) {
        Verdict::Advance(record)
    } else {
        Verdict::Absorb(AbsorbReason::AlreadyKnown)
    }
}

/// A change of what people see as the task's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before; `None` for a task that was not known.
    pub from: Option<TaskState>,
    /// The state now. Equal to `from` when the same state was reached again, later.
    pub to: TaskState,
    /// The time of the event that gave the state.
    pub at: Timestamp,
}

/// How the state or its time changed between two records of one task.
#[must_use]
pub fn transition(old: Option<&TaskRecord>, new: &TaskRecord) -> Option<Transition> {
    let before = old.map(|record| (record.state(), record.state_at()));
    let now = (new.state(), new.state_at());
    (before != Some(now)).then(|| Transition {
        from: before.map(|(state, _)| state),
        to: now.0,
        at: now.1,
    })
}
