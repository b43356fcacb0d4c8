//! Where a command stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Written; waits for a link to its agent.
    Pending,
    /// Claimed for a link: it may have been sent.
    Dispatched,
    /// The agent said that it has it.
    Acknowledged,
    /// The engine did it.
    Completed,
    /// The engine, or the agent, refused it or failed at it.
    Failed,
    /// Its deadline passed before it was ever handed to a link.
    TimedOut,
    /// Withdrawn before it was handed to a link.
    Cancelled,
    /// It was handed to a link and what became of it is not known. A late answer may still tell.
    Unknown,
}

/// A text that names no command state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a command state")]
pub struct ParseCommandStateError;

impl CommandState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Dispatched,
        Self::Acknowledged,
        Self::Completed,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The name used in every interface and in stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Dispatched => "dispatched",
            Self::Acknowledged => "acknowledged",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the command is over. All of these are final but [`Self::Unknown`], which a late answer may settle.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::TimedOut | Self::Cancelled | Self::Unknown
        )
    }

    /// Whether a link has it and no answer has come.
    #[must_use]
    pub const fn is_in_flight(self) -> bool {
        matches!(self, Self::Dispatched | Self::Acknowledged)
    }
}

impl fmt::Display for CommandState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CommandState {
    type Err = ParseCommandStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(ParseCommandStateError)
    }
}
