//! What the engine tells an agent, in the members of wire §5.1.

use std::time::Duration;

use serde_json::{Map, Value, json};
use z4j_core::engine::EngineEvent;
use z4j_core::env::Env;
use z4j_core::task::EventKind;

use super::{JobError, JobSpec, tap};
use crate::EventTap;

/// Makes events and leaves them in the tap.
pub(super) struct Observer {
    env: Env,
    worker: String,
    tap: EventTap,
}

impl Observer {
    pub(super) fn new(env: Env, worker: String) -> Self {
        Self {
            env,
            worker,
            tap: tap(),
        }
    }

    pub(super) const fn tap(&self) -> &EventTap {
        &self.tap
    }

    pub(super) fn record(&self, event: EngineEvent) {
        self.tap.record(event);
    }

    pub(super) fn received(&self, task_id: &str, spec: &JobSpec) -> EngineEvent {
        let more = json!({"args": spec.args, "kwargs": spec.kwargs});
        self.event(EventKind::TaskReceived, task_id, spec, false, more)
    }

    pub(super) fn started(&self, task_id: &str, spec: &JobSpec) {
        self.record(self.event(EventKind::TaskStarted, task_id, spec, true, json!({})));
    }

    pub(super) fn succeeded(
        &self,
        task_id: &str,
        spec: &JobSpec,
        result: &Value,
        runtime: Duration,
    ) {
        let more = json!({"result": result, "runtime_ms": millis(runtime)});
        self.record(self.event(EventKind::TaskSucceeded, task_id, spec, true, more));
    }

    pub(super) fn retried(&self, task_id: &str, spec: &JobSpec, error: &JobError) {
        let more = json!({"reason": format!("{}: {}", error.kind, error.message)});
        self.record(self.event(EventKind::TaskRetried, task_id, spec, true, more));
    }

    pub(super) fn failed(
        &self,
        task_id: &str,
        spec: &JobSpec,
        error: &JobError,
        runtime: Duration,
    ) {
        let more = json!({
            "exception": error.kind,
            "exception_message": error.message,
            "traceback": error.traceback,
            "runtime_ms": millis(runtime),
        });
        self.record(self.event(EventKind::TaskFailed, task_id, spec, true, more));
    }

    pub(super) fn revoked(&self, task_id: &str, spec: &JobSpec, was_running: bool) {
        let more = json!({"terminated": was_running, "expired": false});
        self.record(self.event(EventKind::TaskRevoked, task_id, spec, was_running, more));
    }

    pub(super) fn worker(&self, kind: EventKind, concurrency: u32) {
        let data =
            json!({"worker": self.worker, "concurrency": concurrency, "pid": std::process::id()});
        self.record(EngineEvent {
            kind,
            task_id: String::new(),
            occurred_at: self.env.now(),
            data: object(data),
        });
    }

    fn event(
        &self,
        kind: EventKind,
        task_id: &str,
        spec: &JobSpec,
        by_worker: bool,
        more: Value,
    ) -> EngineEvent {
        let worker = by_worker.then_some(&self.worker);
        let mut data =
            object(json!({"task_name": spec.name, "queue": spec.queue, "worker": worker}));
        data.extend(object(more));
        EngineEvent {
            kind,
            task_id: task_id.to_owned(),
            occurred_at: self.env.now(),
            data,
        }
    }
}

fn millis(runtime: Duration) -> u64 {
    u64::try_from(runtime.as_millis()).unwrap_or(u64::MAX)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
