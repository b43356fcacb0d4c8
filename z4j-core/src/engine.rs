//! The engine seam: what an agent asks of the queue engine in its process.

use std::fmt::Debug;

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::id::CommandId;
use crate::task::EventKind;
use crate::time::Timestamp;

/// A queue engine in an application's process.
#[async_trait]
pub trait Engine: Debug + Send + Sync + 'static {
    /// What it is and what it can do. Declared means that it works.
    fn descriptor(&self) -> EngineDescriptor;

    /// What happens in the engine from now on.
    ///
    /// # Contract
    /// Must not slow the engine down: an engine that produces faster than the stream is read drops the oldest and
    /// says so with [`ObservedEvent::Lost`].
    fn events(&self) -> BoxStream<'static, ObservedEvent>;

    /// Carries a command out.
    ///
    /// # Contract
    /// May be called twice with one command id and must then have one effect. [`CommandOutcome::Unsupported`] is an
    /// answer; `Err` means unknown.
    ///
    /// # Errors
    /// [`EngineError`] when it is not known whether the command had an effect.
    async fn execute(&self, command: EngineCommand) -> Result<CommandOutcome, EngineError>;

    /// What the engine holds now: workers, queues, depths.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot say.
    async fn snapshot(&self) -> Result<EngineSnapshot, EngineError>;
}

/// What an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineDescriptor {
    /// Its name on the wire, such as `apalis`.
    pub name: String,
    /// Capability tokens of the wire protocol, such as `retry_task`.
    pub capabilities: Vec<String>,
}

/// Something that happened in an engine. Its payloads are as the application gave them.
#[derive(Clone, Debug)]
pub enum ObservedEvent {
    /// An event of a task or a worker.
    Event(EngineEvent),
    /// This many events were dropped before they could be read.
    Lost(u64),
}

/// An event of a task or a worker.
#[derive(Clone, Debug)]
pub struct EngineEvent {
    /// What happened.
    pub kind: EventKind,
    /// The engine's id of the task; empty when it is not about a task.
    pub task_id: String,
    /// When, by the engine's clock.
    pub occurred_at: Timestamp,
    /// The `data` object of the wire protocol.
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// A command for an engine.
#[derive(Clone, Debug)]
pub struct EngineCommand {
    /// Its id; a repeat has the same.
    pub id: CommandId,
    /// The wire action, such as `retry_task`.
    pub action: String,
    /// The wire parameters.
    pub parameters: serde_json::Map<String, serde_json::Value>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum CommandOutcome {
    /// Done; the wire result.
    Done(serde_json::Map<String, serde_json::Value>),
    /// Refused or failed without effect, with one sentence.
    Failed(String),
    /// This engine cannot do it.
    Unsupported,
}

/// What an engine holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineSnapshot {
    /// The workers it knows.
    pub workers: Vec<WorkerSnapshot>,
    /// Queues and how many messages wait in each.
    pub queue_depths: Vec<(String, u64)>,
}

/// One worker of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSnapshot {
    /// Its name.
    pub name: String,
    /// How many tasks it can run at once.
    pub concurrency: u32,
    /// How many it runs.
    pub active: u32,
    /// The queues it takes from.
    pub queues: Vec<String>,
}

/// It is not known what an engine did.
#[derive(Debug, thiserror::Error)]
#[error("the engine did not say what became of {operation}")]
pub struct EngineError {
    operation: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl EngineError {
    /// It is not known what became of `operation`.
    pub fn new(operation: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            source: None,
        }
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }
}
