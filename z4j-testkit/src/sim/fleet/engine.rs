//! The queue engine of a simulated Rust process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use z4j_agent::EventTap;
use z4j_core::engine::{
    CommandOutcome, Engine, EngineCommand, EngineDescriptor, EngineError, EngineSnapshot,
    ObservedEvent, WorkerSnapshot,
};

use crate::sim::Chance;
use crate::sim::network::ProcessNo;
use crate::sim::oracle::Oracle;

/// The name of the engine on the wire; that of the stock agents, so that both are one fleet.
pub(super) const ENGINE: &str = "celery";

#[derive(Debug)]
pub(super) struct SimEngine {
    pub(super) tap: EventTap,
    pub(super) process: ProcessNo,
    pub(super) worker: String,
    pub(super) oracle: Arc<Oracle>,
    pub(super) chance: Mutex<Chance>,
}

#[async_trait]
impl Engine for SimEngine {
    fn descriptor(&self) -> EngineDescriptor {
        let tokens = [
            "submit_task",
            "retry_task",
            "cancel_task",
            "purge_queue",
            "retry_by_reference_v1",
        ];
        EngineDescriptor {
            name: ENGINE.to_owned(),
            capabilities: tokens.map(str::to_owned).to_vec(),
        }
    }

    fn events(&self) -> BoxStream<'static, ObservedEvent> {
        self.tap.events()
    }

    async fn execute(&self, command: EngineCommand) -> Result<CommandOutcome, EngineError> {
        let (wait, outcome) = {
            let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
            let hangs = chance.happens(30);
            let wait = if hangs {
                Duration::from_secs(8)
            } else {
                chance.ms(5, 400)
            };
            (wait, chance.below(100))
        };
        tokio::time::sleep(wait).await;
        self.oracle.executed(self.process, command.id);
        match outcome {
            0..80 => Ok(CommandOutcome::Done(serde_json::Map::new())),
            80..92 => Ok(CommandOutcome::Failed("the engine refused".to_owned())),
            _ => Err(EngineError::new(command.action)),
        }
    }

    async fn snapshot(&self) -> Result<EngineSnapshot, EngineError> {
        Ok(EngineSnapshot {
            workers: vec![WorkerSnapshot {
                name: self.worker.clone(),
                concurrency: 4,
                active: 0,
                queues: vec!["default".to_owned()],
            }],
            queue_depths: Vec::new(),
        })
    }
}
