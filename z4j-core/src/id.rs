//! Identifiers. Each is its own type, so that one cannot stand in for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is already known to name this kind of thing.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Makes an id from 128 bits, usually of [`crate::env::IdGen`].
            #[must_use]
            pub const fn from_u128(bits: u128) -> Self {
                Self(Uuid::from_u128(bits))
            }

            /// Reads an id from its 16 bytes in network order, as stores keep it.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }

            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// The 16 bytes in network order.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

uuid_id! {
    /// A project: the tenant that owns tasks, agents and commands.
    ProjectId,
    /// An agent credential; many processes may share one.
    AgentId,
    /// A person.
    UserId,
    /// A signed-in browser session.
    UserSessionId,
    /// A command from a person to an engine.
    CommandId,
    /// One link between an agent process and a brain; fresh for each connection.
    LinkId,
    /// One numbered run of an agent's events; the agent names it.
    StreamId,
    /// The identity of a stored event, a pure function of what the agent sent.
    EventId,
    /// A row of the audit chain.
    AuditId,
    /// One running brain.
    ReplicaId,
}

/// Names a task within a project: the engine that runs it and the engine's own id for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TaskKey {
    /// The engine's name, such as `celery`.
    pub engine: String,
    /// The engine's id of the task.
    pub task_id: String,
}

impl TaskKey {
    /// Names `task_id` of `engine`.
    pub fn new(engine: impl Into<String>, task_id: impl Into<String>) -> Self {
        Self {
            engine: engine.into(),
            task_id: task_id.into(),
        }
    }
}
