//! Why a command was not issued.

use std::fmt;

use z4j_core::store::StoreError;
use z4j_core::task::TaskState;

/// Why a command was not issued. Nothing was written.
#[derive(Debug)]
pub(crate) enum IssueError {
    /// Nobody can do it now, for this reason in one sentence.
    NoAgent(String),
    /// The project has no such task.
    TaskNotFound,
    /// The task is over, in this state, so there is nothing to cancel.
    TaskFinished(TaskState),
    /// The idempotency key belongs to another request.
    KeyReused,
    /// The arguments look like they hold a secret, which the brain does not keep.
    SecretInArguments,
    /// The store failed; whether it was issued is not known.
    Store(StoreError),
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAgent(reason) => f.write_str(reason),
            Self::TaskNotFound => f.write_str("The project has no such task."),
            Self::TaskFinished(state) => {
                write!(f, "The task is already over: its state is {state}.")
            }
            Self::KeyReused => f.write_str("The idempotency key was used for another request."),
            Self::SecretInArguments => f.write_str(
                "The arguments look like they hold a secret. Commands are kept, secrets are not: retry with the original arguments instead.",
            ),
            Self::Store(_) => f.write_str("The database did not take the command."),
        }
    }
}

impl std::error::Error for IssueError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::NoAgent(_)
            | Self::TaskNotFound
            | Self::TaskFinished(_)
            | Self::KeyReused
            | Self::SecretInArguments => None,
        }
    }
}

impl From<StoreError> for IssueError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
