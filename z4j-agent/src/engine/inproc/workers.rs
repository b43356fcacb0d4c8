//! The tasks that run jobs.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use z4j_core::task::EventKind;

use super::state::Phase;
use super::{InprocEngine, Job, JobError, JobSpec};

/// Running workers. Dropping them stops them and what they run.
#[derive(Debug)]
pub struct InprocWorkers {
    engine: InprocEngine,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl InprocWorkers {
    /// Takes no more jobs and waits for those that run.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Drop for InprocWorkers {
    fn drop(&mut self) {
        self.engine.state().has_workers = false;
        let shared = &self.engine.shared;
        shared
            .observer
            .worker(EventKind::WorkerOffline, shared.config.concurrency);
    }
}

pub(super) fn start(engine: &InprocEngine) -> InprocWorkers {
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let concurrency = engine.shared.config.concurrency;
    engine.state().has_workers = true;
    engine
        .shared
        .observer
        .worker(EventKind::WorkerOnline, concurrency);
    for _ in 0..concurrency {
        let (engine, stop) = (engine.clone(), stop.clone());
        tasks.spawn(async move {
            while let Some(task_id) = next_job(&engine, &stop).await {
                run_attempt(&engine, task_id).await;
            }
        });
    }
    InprocWorkers {
        engine: engine.clone(),
        tasks,
        stop,
    }
}

/// Waits for a job that is due; `None` when the workers stop.
async fn next_job(engine: &InprocEngine, stop: &CancellationToken) -> Option<String> {
    loop {
        let changed = engine.shared.changed.notified();
        let now = engine.shared.config.env.elapsed();
        let next_due = {
            let mut state = engine.state();
            if stop.is_cancelled() {
                return None;
            }
            if let Some(task_id) = state.take_due(now) {
                // Another one may be due for another worker.
                engine.shared.changed.notify_one();
                return Some(task_id);
            }
            state.next_due()
        };
        let pause = next_due.map_or(Duration::from_secs(3600), |due| due.saturating_sub(now));
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return None,
        }
    }
}

/// Runs one attempt in a task of its own, so that it can be cancelled and may panic.
async fn run_attempt(engine: &InprocEngine, task_id: String) {
    let (go, may_go) = oneshot::channel::<()>();
    let Some((job, spec)) = job_of(engine, &task_id) else {
        return;
    };
    let attempt_number = job.attempt;
    let Some(handler) = engine.handler(&spec.name) else {
        return;
    };
    let attempt = AbortOnDropHandle::new(tokio::spawn(async move {
        // Only after the start is recorded: a quick job must not end before it began.
        let _recorded = may_go.await;
        handler(job).await
    }));
    let shared = &engine.shared;
    {
        let mut state = engine.state();
        match state.jobs.get_mut(&task_id) {
            Some(record) if !record.phase.is_over() => {
                record.phase = Phase::Running(attempt.abort_handle())
            }
            _ => return,
        }
        if attempt_number > 0 {
            // Each attempt is taken from the queue anew.
            shared
                .observer
                .record(shared.observer.received(&task_id, &spec));
        }
        shared.observer.started(&task_id, &spec);
    }
    drop(go);
    let begun = shared.config.env.elapsed();
    let ended = attempt.await;
    let runtime = shared.config.env.elapsed().saturating_sub(begun);
    settle(
        engine,
        &task_id,
        &spec,
        ended.unwrap_or_else(|error| Err(crashed(&error))),
        runtime,
    );
}

fn job_of(engine: &InprocEngine, task_id: &str) -> Option<(Job, JobSpec)> {
    let state = engine.state();
    let record = state.jobs.get(task_id)?;
    let job = Job {
        task_id: task_id.to_owned(),
        args: record.spec.args.clone(),
        kwargs: record.spec.kwargs.clone(),
        attempt: record.attempt,
    };
    Some((job, record.spec.clone()))
}

fn settle(
    engine: &InprocEngine,
    task_id: &str,
    spec: &JobSpec,
    ended: Result<serde_json::Value, JobError>,
    runtime: Duration,
) {
    let (observer, env) = (&engine.shared.observer, &engine.shared.config.env);
    let mut state = engine.state();
    let Some(record) = state.jobs.get_mut(task_id) else {
        return;
    };
    if record.phase.is_over() {
        // Cancelled meanwhile, and reported so.
        return;
    }
    match ended {
        Ok(result) => {
            state.finish(task_id, Phase::Success, env.now());
            observer.succeeded(task_id, spec, &result, runtime);
        }
        Err(error) if record.attempt < spec.retries_max => {
            record.attempt += 1;
            record.phase = Phase::Waiting;
            state.wait(task_id.to_owned(), env.elapsed() + spec.retry_delay);
            observer.retried(task_id, spec, &error);
            engine.shared.changed.notify_one();
        }
        Err(error) => {
            state.finish(task_id, Phase::Failure(error.kind.clone()), env.now());
            observer.failed(task_id, spec, &error, runtime);
        }
    }
}

fn crashed(error: &JoinError) -> JobError {
    JobError {
        kind: "Panic".to_owned(),
        message: "the job panicked".to_owned(),
        traceback: error.to_string(),
    }
}
