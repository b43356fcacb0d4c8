//! What a person can be allowed to do in a project.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What a person can be allowed to do in a project.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $($(#[$doc])* $name,)+
        }

        impl Permission {
            /// Every permission.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The dotted name used in every interface.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

permissions! {
    /// See that the project is there, its numbers and charts.
    ProjectRead = "project.read",
    /// See agents and their health.
    AgentRead = "agent.read",
    /// Make an agent's credentials, or make them anew.
    AgentMint = "agent.mint",
    /// Take an agent's credentials away.
    AgentRevoke = "agent.revoke",
    /// See tasks, their arguments and errors.
    TaskRead = "task.read",
    /// Run tasks again.
    TaskRetry = "task.retry",
    /// Cancel tasks.
    TaskCancel = "task.cancel",
    /// See commands and their outcomes.
    CommandRead = "command.read",
    /// See workers.
    WorkerRead = "worker.read",
    /// See queues.
    QueueRead = "queue.read",
    /// Follow changes as they happen.
    StreamRead = "stream.read",
    /// Read and verify the audit chain.
    AuditRead = "audit.read",
    /// Change the project's settings.
    ProjectManage = "project.manage",
    /// See and change who belongs to the project.
    MemberManage = "member.manage",
}

/// A text that names no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a permission")]
pub struct ParsePermissionError;

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = ParsePermissionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|permission| permission.as_str() == text)
            .ok_or(ParsePermissionError)
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
