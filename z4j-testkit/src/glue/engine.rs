//! An engine that has no queue but a script.

use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use serde_json::{Map, json};
use z4j_agent::EventTap;
use z4j_core::engine::{
    CommandOutcome, Engine, EngineCommand, EngineDescriptor, EngineError, EngineEvent,
    EngineSnapshot, ObservedEvent,
};
use z4j_core::id::AgentId;

use super::{ENGINE, Ledger};

/// What it can be told to do. The first three may be sent again, the others may not.
pub(super) const CAPABILITIES: [&str; 5] = [
    "cancel_task",
    "pool_grow",
    "purge_queue",
    "retry_by_reference_v1",
    "retry_task",
];
/// How long it takes to carry a command out.
const WORK: Duration = Duration::from_millis(150);

/// An engine that has no queue but a script, and notes in a ledger what it is told to do.
#[derive(Clone, Debug)]
pub struct ScriptedEngine {
    tap: EventTap,
    ledger: Ledger,
    agent: String,
    agent_id: AgentId,
}

impl ScriptedEngine {
    /// The engine in the process of `agent`.
    #[must_use]
    pub fn new(agent: &str, agent_id: AgentId, ledger: Ledger) -> Self {
        Self {
            tap: EventTap::default(),
            ledger,
            agent: agent.to_owned(),
            agent_id,
        }
    }

    /// Lets this happen.
    pub fn record(&self, event: EngineEvent) {
        self.ledger.emitted(&self.agent, self.agent_id, &event);
        self.tap.record(event);
    }
}

#[async_trait]
impl Engine for ScriptedEngine {
    fn descriptor(&self) -> EngineDescriptor {
        EngineDescriptor {
            name: ENGINE.to_owned(),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
        }
    }

    fn events(&self) -> BoxStream<'static, ObservedEvent> {
        self.tap.events()
    }

    async fn execute(&self, command: EngineCommand) -> Result<CommandOutcome, EngineError> {
        self.ledger.executed(&command.id.to_string());
        tokio::time::sleep(WORK).await;
        let mut result = Map::new();
        result.insert("done".to_owned(), json!(true));
        Ok(CommandOutcome::Done(result))
    }

    async fn snapshot(&self) -> Result<EngineSnapshot, EngineError> {
        Ok(EngineSnapshot::default())
    }
}
