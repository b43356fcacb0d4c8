//! The states that people see.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Handed to a broker; no worker has it yet.
    Pending,
    /// A worker has it, and has not started it.
    Received,
    /// It runs.
    Started,
    /// It ended well.
    Success,
    /// It ended with an error.
    Failure,
    /// Its last attempt failed and another one will follow.
    Retry,
    /// It was cancelled or it expired.
    Revoked,
    /// A worker refused it.
    Rejected,
    /// It was running when everything that knew about it went silent. No event says so; only the brain decides it.
    Lost,
    /// Nothing that is known says where it is.
    Unknown,
}

/// A text that names no task state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a task state")]
pub struct ParseStateError;

impl TaskState {
    /// Every state, in the order that menus list them.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Received,
        Self::Started,
        Self::Success,
        Self::Failure,
        Self::Retry,
        Self::Revoked,
        Self::Rejected,
        Self::Lost,
        Self::Unknown,
    ];

    /// The name used in every interface and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Received => "received",
            Self::Started => "started",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Retry => "retry",
            Self::Revoked => "revoked",
            Self::Rejected => "rejected",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the task is over, unless it is run again.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failure | Self::Revoked | Self::Rejected
        )
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TaskState {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(ParseStateError)
    }
}
