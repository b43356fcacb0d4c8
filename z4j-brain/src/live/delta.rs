//! One change that a dashboard may want to know of.

use std::sync::Arc;

use z4j_core::id::{AgentId, CommandId, TaskKey};
use z4j_core::store::TaskSummary;

/// One change. A task as it was committed comes with it, since there are many; all else is read again by whoever renders it,
/// so that of two writes that end at about the same time the later one is shown.
#[derive(Clone, Debug)]
pub(crate) enum Delta {
    /// A task as it is now.
    Task(Box<TaskSummary>),
    /// A command changed.
    Command(CommandId),
    /// An agent changed, or one of its links.
    Agent(AgentId),
    /// A worker was seen or went away.
    Worker {
        /// Its engine.
        engine: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// A queue was seen or measured.
    Queue {
        /// Its engine.
        engine: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// Counts of the project moved.
    Counters,
}

/// What a delta is about: of two with the same key only the later one is worth sending.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum DeltaKey {
    Task(TaskKey),
    Command(CommandId),
    Agent(AgentId),
    Worker(Arc<str>, Arc<str>),
    Queue(Arc<str>, Arc<str>),
    Counters,
}

impl Delta {
    pub(super) fn key(&self) -> DeltaKey {
        match self {
            Self::Task(task) => DeltaKey::Task(task.key.clone()),
            Self::Command(id) => DeltaKey::Command(*id),
            Self::Agent(id) => DeltaKey::Agent(*id),
            Self::Worker { engine, name } => DeltaKey::Worker(Arc::clone(engine), Arc::clone(name)),
            Self::Queue { engine, name } => DeltaKey::Queue(Arc::clone(engine), Arc::clone(name)),
            Self::Counters => DeltaKey::Counters,
        }
    }
}
