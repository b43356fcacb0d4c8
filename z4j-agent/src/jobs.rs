//! Runs what a command asks for, and survives whatever the engine does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use z4j_core::engine::{CommandOutcome, Engine, EngineCommand};
use z4j_core::env::Env;
use z4j_core::scheduler::{ScheduleChange, ScheduleOutcome, Scheduler};

use crate::capture::Scrubber;
use crate::commands::{Job, JobOutcome, JobRequest};
use crate::health::{self, Health};

/// How long an engine may take to say how it is.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(4);

/// The adapters of an agent, shared with the tasks that use them.
#[derive(Clone, Debug)]
pub(crate) struct Toolbox {
    pub(crate) engines: Arc<[(String, Arc<dyn Engine>)]>,
    pub(crate) schedulers: Arc<[Arc<dyn Scheduler>]>,
    pub(crate) scrubber: Scrubber,
    pub(crate) env: Env,
    /// When the agent was built, by [`Env::elapsed`].
    pub(crate) started: Duration,
    /// Which process the agent runs in.
    pub(crate) process_id: u32,
}

impl Toolbox {
    /// Runs one job to its end. Never panics; an engine that does leaves an unknown outcome.
    pub(crate) async fn run(self, request: JobRequest) -> (String, JobOutcome) {
        let unknown = |reason: &str| JobOutcome::Unknown {
            operation: request.action.clone(),
            reason: reason.to_owned(),
        };
        let work = AssertUnwindSafe(self.carry_out(request.job, &request.action)).catch_unwind();
        let outcome = match tokio::time::timeout(request.timeout, work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => unknown("the engine panicked"),
            Err(_) => unknown("the engine did not answer in time"),
        };
        (request.key, outcome)
    }

    async fn carry_out(&self, job: Job, action: &str) -> JobOutcome {
        match job {
            Job::Engine(index, command) => self.execute(index, command, action).await,
            Job::Schedule(index, change) => self.apply(index, change, action).await,
            Job::Resync => self.resync().await,
        }
    }

    async fn execute(&self, index: usize, command: EngineCommand, action: &str) -> JobOutcome {
        let Some((name, engine)) = self.engines.get(index) else {
            return JobOutcome::Failed("this agent has no such engine".to_owned());
        };
        match engine.execute(command).await {
            Ok(CommandOutcome::Done(result)) => JobOutcome::Done(self.scrubber.result(result)),
            Ok(CommandOutcome::Failed(reason)) => JobOutcome::Failed(self.scrubber.text(&reason)),
            Ok(CommandOutcome::Unsupported) => {
                JobOutcome::Failed(format!("engine {name} cannot do {action}"))
            }
            Err(error) => self.unknown(action, &error),
        }
    }

    async fn apply(&self, index: usize, change: ScheduleChange, action: &str) -> JobOutcome {
        let Some(scheduler) = self.schedulers.get(index) else {
            return JobOutcome::Failed("this agent has no such scheduler".to_owned());
        };
        let (ScheduleChange::Enable(id)
        | ScheduleChange::Disable(id)
        | ScheduleChange::Trigger(id)
        | ScheduleChange::Delete(id)) = &change;
        let result = object(json!({ "schedule_id": id }));
        match scheduler.apply(change).await {
            Ok(ScheduleOutcome::Done) => JobOutcome::Done(result),
            Ok(ScheduleOutcome::Failed(reason)) => JobOutcome::Failed(self.scrubber.text(&reason)),
            Ok(ScheduleOutcome::Unsupported) => {
                JobOutcome::Failed(format!("the scheduler cannot do {action}"))
            }
            Err(error) => self.unknown(action, &error),
        }
    }

    async fn resync(&self) -> JobOutcome {
        for scheduler in self.schedulers.iter() {
            if let Err(error) = scheduler.list().await {
                return JobOutcome::Failed(self.scrubber.text(&error.to_string()));
            }
        }
        JobOutcome::Done(object(
            json!({ "schedulers_drained": self.schedulers.len() }),
        ))
    }

    fn unknown(&self, action: &str, error: &dyn std::error::Error) -> JobOutcome {
        JobOutcome::Unknown {
            operation: action.to_owned(),
            reason: self.scrubber.text(&error.to_string()),
        }
    }

    /// Asks every engine how it is.
    pub(crate) async fn ask_health(self) -> Health {
        let mut all = Health::new();
        let uptime = self.env.elapsed().saturating_sub(self.started);
        for (name, engine) in self.engines.iter() {
            let asked = AssertUnwindSafe(engine.snapshot()).catch_unwind();
            match tokio::time::timeout(SNAPSHOT_WAIT, asked).await {
                Ok(Ok(Ok(snapshot))) => {
                    health::add_snapshot(&mut all, name, &snapshot, (self.process_id, uptime))
                }
                Ok(Ok(Err(error))) => {
                    health::add_error(&mut all, name, &self.scrubber.text(&error.to_string()))
                }
                Ok(Err(_)) => health::add_error(&mut all, name, "the engine panicked"),
                Err(_) => health::add_error(&mut all, name, "the engine did not answer in time"),
            }
        }
        all
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
