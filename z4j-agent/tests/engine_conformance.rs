//! The in-process engine keeps what the testkit asks of every engine.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use serde_json::json;
use tokio::sync::Mutex;
use z4j_agent::engine::inproc::{InprocConfig, InprocEngine, InprocWorkers, JobError, JobSpec};
use z4j_core::engine::{
    CommandOutcome, Engine, EngineCommand, EngineDescriptor, EngineError, EngineSnapshot,
    ObservedEvent,
};
use z4j_core::id::CommandId;
use z4j_testkit::Fresh;
use z4j_testkit::suite::engine::{EngineRig, RigJob};

#[derive(Debug)]
struct Rig {
    engine: InprocEngine,
    workers: Mutex<Option<InprocWorkers>>,
}

#[async_trait]
impl EngineRig for Rig {
    fn engine(&self) -> &dyn Engine {
        &self.engine
    }

    async fn submit(&self, queue: &str, job: RigJob) -> String {
        let name = match job {
            RigJob::Succeeds => "rig.succeeds",
            RigJob::Fails => "rig.fails",
        };
        self.engine
            .submit(JobSpec::new(name).on_queue(queue))
            .unwrap()
    }

    async fn stop_workers(&self) {
        if let Some(workers) = self.workers.lock().await.take() {
            workers.stop().await;
        }
    }
}

fn rig() -> Rig {
    let config = InprocConfig {
        waiting_max: 100_000,
        ..InprocConfig::default()
    };
    let engine = InprocEngine::new(config);
    engine.register("rig.succeeds", |_job| async { Ok(json!("fine")) });
    engine.register("rig.fails", |_job| async {
        Err(JobError::new("RigError", "the rig's error"))
    });
    let workers = Mutex::new(Some(engine.start()));
    Rig { engine, workers }
}

async fn fresh() -> Fresh<Rig> {
    Fresh::new(rig())
}

z4j_testkit::engine_conformance!(fresh);

/// Carries out a command as often as it comes.
#[derive(Debug)]
struct Tireless(Rig, AtomicU64);

#[async_trait]
impl Engine for Tireless {
    fn descriptor(&self) -> EngineDescriptor {
        self.0.engine.descriptor()
    }

    fn events(&self) -> BoxStream<'static, ObservedEvent> {
        self.0.engine.events()
    }

    async fn execute(&self, mut command: EngineCommand) -> Result<CommandOutcome, EngineError> {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        command.id = CommandId::from_u128(u128::from(number));
        self.0.engine.execute(command).await
    }

    async fn snapshot(&self) -> Result<EngineSnapshot, EngineError> {
        self.0.engine.snapshot().await
    }
}

#[async_trait]
impl EngineRig for Tireless {
    fn engine(&self) -> &dyn Engine {
        self
    }

    async fn submit(&self, queue: &str, job: RigJob) -> String {
        self.0.submit(queue, job).await
    }

    async fn stop_workers(&self) {
        self.0.stop_workers().await;
    }
}

#[test]
#[should_panic(expected = "the same command has the same answer")]
fn engine_that_repeats_commands_fails_the_suite() {
    z4j_testkit::conformance::run(async {
        let rig = Tireless(rig(), AtomicU64::new(0));
        z4j_testkit::suite::engine::case::repeated_retry_has_one_effect(&rig).await;
    });
}
