//! The orders of a task list, and where a task stands in one.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::cursor::{self, CursorError};
use super::{Cursor, TaskSummary};
use crate::id::TaskKey;

/// The order of a task list; what is equal in it goes by engine and task id in the same direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskSort {
    /// Latest change of state first.
    #[default]
    UpdatedDesc,
    /// Earliest change of state first.
    UpdatedAsc,
    /// Latest received first.
    ReceivedDesc,
    /// Latest finished first.
    FinishedDesc,
    /// Longest run first; of equal runs, and of tasks without one, latest change of state first.
    RuntimeDesc,
}

impl TaskSort {
    /// Every order.
    pub const ALL: [Self; 5] = [
        Self::UpdatedDesc,
        Self::UpdatedAsc,
        Self::ReceivedDesc,
        Self::FinishedDesc,
        Self::RuntimeDesc,
    ];

    /// Whether the greatest value comes first.
    #[must_use]
    pub const fn is_descending(self) -> bool {
        !matches!(self, Self::UpdatedAsc)
    }

    /// Where `task` stands.
    #[must_use]
    pub fn place(self, task: &TaskSummary) -> TaskPlace {
        let value = match self {
            Self::UpdatedDesc | Self::UpdatedAsc => Some(task.state_at.as_micros()),
            Self::ReceivedDesc => task.received_at.map(|at| at.as_micros()),
            Self::FinishedDesc => task.finished_at.map(|at| at.as_micros()),
            Self::RuntimeDesc => task
                .runtime_ms
                .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
        };
        TaskPlace {
            value,
            changed_at: self.is_tied_by_change().then(|| task.state_at.as_micros()),
            key: task.key.clone(),
        }
    }

    /// Whether equal values go by the latest change first.
    const fn is_tied_by_change(self) -> bool {
        matches!(self, Self::RuntimeDesc)
    }

    /// The place that a cursor of the query with this tag holds; `None` without one.
    ///
    /// # Errors
    /// [`CursorError::Foreign`] for a cursor of another query, and for one from before equal values had an order of their own.
    pub fn open(self, tag: &str, at: Option<&Cursor>) -> Result<Option<TaskPlace>, CursorError> {
        let place: Option<TaskPlace> = cursor::open(tag, at)?;
        let is_ours = |place: &TaskPlace| place.changed_at.is_some() == self.is_tied_by_change();
        if place.as_ref().is_none_or(is_ours) {
            Ok(place)
        } else {
            Err(CursorError::Foreign)
        }
    }

    /// Which of two places of this order comes first.
    #[must_use]
    pub fn compare(self, left: &TaskPlace, right: &TaskPlace) -> Ordering {
        let by_absence = left.value.is_none().cmp(&right.value.is_none());
        let known = |place: &TaskPlace| (place.value, place.changed_at);
        let by_value = (known(left), &left.key).cmp(&(known(right), &right.key));
        by_absence.then(if self.is_descending() {
            by_value.reverse()
        } else {
            by_value
        })
    }
}

/// Where a task stands in a list: what a cursor holds. For whoever writes a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub struct TaskPlace {
    /// What the list is sorted by, in microseconds or milliseconds; places without it come last in either direction.
    pub value: Option<i64>,
    /// When the task reached its state, in microseconds, where that decides between equal values.
    pub changed_at: Option<i64>,
    /// What decides in the end.
    pub key: TaskKey,
}

/// Without names, so that the longest key that there can be still fits into a cursor.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Packed {
    Plain(Option<i64>, String, String),
    Tied(Option<i64>, i64, String, String),
}

impl From<TaskPlace> for Packed {
    fn from(place: TaskPlace) -> Self {
        let TaskKey { engine, task_id } = place.key;
        match place.changed_at {
            None => Self::Plain(place.value, engine, task_id),
            Some(changed_at) => Self::Tied(place.value, changed_at, engine, task_id),
        }
    }
}

impl From<Packed> for TaskPlace {
    fn from(packed: Packed) -> Self {
        let (value, changed_at, engine, task_id) = match packed {
            Packed::Plain(value, engine, task_id) => (value, None, engine, task_id),
            Packed::Tied(value, changed_at, engine, task_id) => {
                (value, Some(changed_at), engine, task_id)
            }
        };
        Self {
            value,
            changed_at,
            key: TaskKey { engine, task_id },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{ENGINE_CHARS_MAX, TASK_ID_CHARS_MAX};
    use crate::store::cursor;

    fn place(value: Option<i64>, changed_at: Option<i64>, task_id: &str) -> TaskPlace {
        TaskPlace {
            value,
            changed_at,
            key: TaskKey::new("celery", task_id),
        }
    }

    #[test]
    fn what_has_no_value_comes_last_in_either_direction() {
        for sort in TaskSort::ALL {
            let (some, none) = (place(Some(1), None, "a"), place(None, None, "b"));
            assert_eq!(sort.compare(&some, &none), Ordering::Less, "{sort:?}");
            assert_eq!(sort.compare(&none, &some), Ordering::Greater, "{sort:?}");
        }
    }

    #[test]
    fn equal_values_are_in_the_order_of_the_change_and_then_of_the_key() {
        let sort = TaskSort::RuntimeDesc;
        let first = place(Some(5), Some(9), "a");
        for (later, why) in [
            (place(Some(4), Some(99), "z"), "a shorter run"),
            (place(Some(5), Some(8), "z"), "an earlier change"),
            (place(Some(5), Some(9), "Z"), "a smaller key"),
        ] {
            assert_eq!(sort.compare(&first, &later), Ordering::Less, "{why}");
        }
    }

    #[test]
    fn the_longest_key_fits_into_a_cursor() {
        let longest = TaskPlace {
            value: Some(i64::MIN),
            changed_at: Some(i64::MIN),
            // Six bytes of JSON for each.
            key: TaskKey::new(
                "\u{1}".repeat(ENGINE_CHARS_MAX),
                "\u{1}".repeat(TASK_ID_CHARS_MAX),
            ),
        };
        let tag = cursor::query_tag(&"tasks").unwrap();
        let sealed = cursor::seal(&tag, longest.clone()).unwrap();
        let opened = TaskSort::RuntimeDesc.open(&tag, Some(&sealed)).unwrap();
        assert_eq!(opened, Some(longest));
    }

    #[test]
    fn a_place_of_an_order_without_its_tie_is_refused() {
        let tag = cursor::query_tag(&"tasks").unwrap();
        let plain = cursor::seal(&tag, (Some(5), "celery", "a")).unwrap();
        let opened = TaskSort::UpdatedDesc.open(&tag, Some(&plain)).unwrap();
        assert_eq!(opened, Some(place(Some(5), None, "a")));
        assert!(TaskSort::RuntimeDesc.open(&tag, Some(&plain)).is_err());
        let tied = cursor::seal(&tag, (None::<i64>, 7, "celery", "a")).unwrap();
        let opened = TaskSort::RuntimeDesc.open(&tag, Some(&tied)).unwrap();
        assert_eq!(opened, Some(place(None, Some(7), "a")));
        assert!(TaskSort::UpdatedDesc.open(&tag, Some(&tied)).is_err());
    }
}
