//! The order of a list: one or two parts, each along one index.

use z4j_core::store::{TaskFilter, TaskSort};
use z4j_core::task::TaskState;

/// A part of a list. Parts follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Tasks by the time of their state.
    Changed { is_descending: bool },
    /// Tasks that ended, latest first. A task has an end exactly while its state is final, and it is the time of the state.
    Ended,
    /// Tasks that have not ended, by key.
    NotEnded,
    /// Tasks that a worker took, latest first.
    Received,
    /// The others, by key.
    NotReceived,
    /// Tasks that ran, longest first, and of equal runs the latest changed.
    Ran,
    /// The others, latest changed first.
    NotRan,
}

/// The parts of a list, in order.
pub(super) const fn parts(sort: TaskSort) -> &'static [Part] {
    match sort {
        TaskSort::UpdatedDesc => &[Part::Changed {
            is_descending: true,
        }],
        TaskSort::UpdatedAsc => &[Part::Changed {
            is_descending: false,
        }],
        TaskSort::FinishedDesc => &[Part::Ended, Part::NotEnded],
        TaskSort::ReceivedDesc => &[Part::Received, Part::NotReceived],
        TaskSort::RuntimeDesc => &[Part::Ran, Part::NotRan],
    }
}

impl Part {
    /// The column that the part is sorted by first.
    pub(super) const fn column(self) -> Option<&'static str> {
        match self {
            Self::Changed { .. } | Self::Ended => Some("state_at"),
            Self::Received => Some("received_at"),
            Self::Ran => Some("runtime_ms"),
            Self::NotEnded | Self::NotReceived | Self::NotRan => None,
        }
    }

    /// What decides between equal values, before engine and task id.
    pub(super) const fn tie(self) -> Option<&'static str> {
        match self {
            Self::Ran | Self::NotRan => Some("state_at"),
            Self::Changed { .. }
            | Self::Ended
            | Self::Received
            | Self::NotEnded
            | Self::NotReceived => None,
        }
    }

    /// Whether the order is that of the tasks' last changes.
    pub(super) fn is_by_change(self) -> bool {
        self.column() == Some("state_at")
    }

    pub(super) const fn is_descending(self) -> bool {
        !matches!(
            self,
            Self::Changed {
                is_descending: false
            }
        )
    }

    pub(super) const fn direction(self) -> &'static str {
        match self {
            Self::Changed {
                is_descending: false,
            } => "ASC",
            _ => "DESC",
        }
    }

    pub(super) const fn beyond(self) -> &'static str {
        match self {
            Self::Changed {
                is_descending: false,
            } => ">",
            _ => "<",
        }
    }

    /// What makes a row a member, beside its state.
    pub(super) const fn membership(self) -> Option<&'static str> {
        match self {
            Self::Received => Some("received_at IS NOT NULL"),
            Self::NotReceived => Some("received_at IS NULL"),
            Self::Ran => Some("runtime_ms IS NOT NULL"),
            Self::NotRan => Some("runtime_ms IS NULL"),
            // Says the same as the states, and names the index.
            Self::NotEnded => Some("finished_at IS NULL"),
            Self::Changed { .. } | Self::Ended => None,
        }
    }

    /// The states that members can have, of those that the filter takes; empty for any. `None` when there can be no member.
    pub(super) fn states(self, filter: &TaskFilter) -> Option<Vec<TaskState>> {
        let is_asked =
            |state: &TaskState| filter.states.is_empty() || filter.states.contains(state);
        let can_be = |state: &TaskState| match self {
            // Only what ended has a run time.
            Self::Ended | Self::Ran => state.is_terminal(),
            Self::NotEnded => !state.is_terminal(),
            Self::Changed { .. } | Self::Received | Self::NotReceived | Self::NotRan => true,
        };
        let states: Vec<TaskState> = TaskState::ALL
            .into_iter()
            .filter(is_asked)
            .filter(can_be)
            .collect();
        if states.is_empty() {
            return None;
        }
        // The time of a run says as much as the state.
        let is_any =
            states.len() == TaskState::ALL.len() || (self == Self::Ran && filter.states.is_empty());
        Some(if is_any { Vec::new() } else { states })
    }
}
