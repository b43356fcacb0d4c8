//! A small queue engine inside the process, for examples and tests.
//!
//! Named jobs with arguments wait in queues and are run by worker tasks, with retries, cancelling, and retrying of
//! finished jobs with their own arguments. Nothing outlives the process, so it is no queue for production.
//!
//! ```
//! use serde_json::json;
//! use z4j_agent::engine::inproc::{InprocEngine, InprocConfig, JobSpec};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = InprocEngine::new(InprocConfig::default());
//! engine.register("math.add", |job| async move {
//!     let sum: i64 = job.args.iter().filter_map(serde_json::Value::as_i64).sum();
//!     Ok(json!(sum))
//! });
//! let workers = engine.start();
//! let task_id = engine.submit(JobSpec::new("math.add").with_args([json!(1), json!(2)]))?;
//! // … give `engine.clone()` to an agent …
//! workers.stop().await;
//! # Ok(())
//! # }
//! ```

mod commands;
mod events;
mod job;
mod state;
mod workers;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use serde_json::Value;
use tokio::sync::Notify;
use z4j_core::engine::{
    CommandOutcome, Engine, EngineCommand, EngineDescriptor, EngineError, EngineSnapshot,
    ObservedEvent, WorkerSnapshot,
};
use z4j_core::env::Env;

pub use job::{Job, JobError, JobSpec, SubmitError};
pub use workers::InprocWorkers;

use crate::EventTap;
use events::Observer;
use state::State;

type Handler = Arc<dyn Fn(Job) -> BoxFuture<'static, Result<Value, JobError>> + Send + Sync>;

/// What this engine can do (wire §6.2).
const CAPABILITIES: [&str; 5] = [
    "cancel_task",
    "purge_queue",
    "retry_by_reference_v1",
    "retry_task",
    "submit_task",
];

/// The settings of an engine.
#[derive(Clone, Debug)]
pub struct InprocConfig {
    /// The engine's name on the wire.
    pub name: String,
    /// The worker's name; workers of one process are one worker with many slots.
    pub worker_name: String,
    /// Jobs that run at once.
    pub concurrency: u32,
    /// Jobs that may wait; more are refused.
    pub waiting_max: usize,
    /// Finished jobs that are remembered, so that they can be retried.
    pub finished_max: usize,
    /// Where time and ids come from.
    pub env: Env,
}

impl Default for InprocConfig {
    fn default() -> Self {
        Self {
            name: "inproc".to_owned(),
            worker_name: format!("inproc-{}", std::process::id()),
            concurrency: 4,
            waiting_max: 10_000,
            finished_max: 10_000,
            env: Env::system(),
        }
    }
}

/// The engine. Clones share one queue.
#[derive(Clone)]
pub struct InprocEngine {
    shared: Arc<Shared>,
}

struct Shared {
    config: InprocConfig,
    handlers: Mutex<HashMap<String, Handler>>,
    state: Mutex<State>,
    changed: Notify,
    observer: Observer,
}

impl InprocEngine {
    /// An engine without jobs and without workers.
    #[must_use]
    pub fn new(config: InprocConfig) -> Self {
        let observer = Observer::new(config.env.clone(), config.worker_name.clone());
        Self {
            shared: Arc::new(Shared {
                handlers: Mutex::new(HashMap::new()),
                state: Mutex::new(State::new(config.waiting_max, config.finished_max)),
                changed: Notify::new(),
                observer,
                config,
            }),
        }
    }

    /// Says what runs for jobs of this name.
    pub fn register<F, R>(&self, name: &str, handler: F)
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, JobError>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |job| Box::pin(handler(job)));
        lock(&self.shared.handlers).insert(name.to_owned(), handler);
    }

    /// Puts a job into its queue and gives its id.
    ///
    /// # Errors
    /// [`SubmitError`] when too many jobs wait, or nobody registered the name.
    pub fn submit(&self, spec: JobSpec) -> Result<String, SubmitError> {
        if !lock(&self.shared.handlers).contains_key(&spec.name) {
            return Err(SubmitError::UnknownName);
        }
        let task_id = uuid::Uuid::from_u128(self.shared.config.env.next_id()).to_string();
        let due = self.shared.config.env.elapsed() + spec.delay;
        let received = self.shared.observer.received(&task_id, &spec);
        {
            let mut state = self.state();
            state.add(task_id.clone(), spec, due)?;
            // Under the lock, so that no worker can report the start before this.
            self.shared.observer.record(received);
        }
        self.shared.changed.notify_one();
        Ok(task_id)
    }

    /// Starts the workers on the current tokio runtime.
    #[must_use = "dropping the workers stops them"]
    pub fn start(&self) -> InprocWorkers {
        workers::start(self)
    }

    /// Cancels every job that waits and says how many: what waits in memory ends with the process, and whoever watches
    /// should see that it did.
    pub fn cancel_waiting(&self) -> usize {
        self.drop_waiting(|_| true)
    }

    /// How a job stands, in the words of `reconcile_task` (wire §6.4); `None` for an unknown one.
    #[must_use]
    pub fn job_state(&self, task_id: &str) -> Option<&'static str> {
        self.state()
            .jobs
            .get(task_id)
            .map(|record| record.phase.as_engine_state())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }

    fn handler(&self, name: &str) -> Option<Handler> {
        lock(&self.shared.handlers).get(name).cloned()
    }
}

/// No code panics while it holds one of these locks, so a poisoned one still guards whole data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for InprocEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InprocEngine")
            .field("name", &self.shared.config.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Engine for InprocEngine {
    fn descriptor(&self) -> EngineDescriptor {
        EngineDescriptor {
            name: self.shared.config.name.clone(),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
        }
    }

    fn events(&self) -> BoxStream<'static, ObservedEvent> {
        self.shared.observer.tap().events()
    }

    async fn execute(&self, command: EngineCommand) -> Result<CommandOutcome, EngineError> {
        Ok(self.carry_out_once(&command))
    }

    async fn snapshot(&self) -> Result<EngineSnapshot, EngineError> {
        let state = self.state();
        let queue_depths = state.depths();
        let worker = state.has_workers.then(|| WorkerSnapshot {
            name: self.shared.config.worker_name.clone(),
            concurrency: self.shared.config.concurrency,
            active: u32::try_from(state.running()).unwrap_or(u32::MAX),
            queues: queue_depths
                .iter()
                .map(|(queue, _)| queue.clone())
                .collect(),
        });
        Ok(EngineSnapshot {
            workers: worker.into_iter().collect(),
            queue_depths,
        })
    }
}

/// A tap wide enough for what one process does between two reads.
fn tap() -> EventTap {
    EventTap::default()
}

/// The longest delay that a command may ask for: a year.
const DELAY_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);
