//! Events as a Celery worker with the published agent reports them.

use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;
use z4j_core::env::Env;
use z4j_core::time::Timestamp;

/// The size of an ordinary event on the wire, in bytes.
const EVENT_BYTES: usize = 720;
/// A queue, an attempt and a result take about this long in a made-up life of a task.
const STEP: Duration = Duration::from_millis(40);

/// One event, ready to be put into a batch. All members may be changed.
#[derive(Clone, Debug, PartialEq)]
pub struct FakeEvent {
    /// The agent's id of the event, the same at every resend.
    pub id: String,
    /// Such as `task.received`.
    pub kind: String,
    /// Such as `celery`.
    pub engine: String,
    /// The engine's id of the task.
    pub task_id: String,
    /// When, as RFC 3339 text.
    pub occurred_at: String,
    /// The `data` object.
    pub data: Value,
}

impl FakeEvent {
    /// The event as it stands in a frame.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "kind": self.kind,
            "engine": self.engine,
            "task_id": self.task_id,
            "occurred_at": self.occurred_at,
            "data": self.data,
        })
    }
}

/// Makes the events of one task.
#[derive(Clone, Debug)]
pub struct FakeTask {
    /// The engine's name.
    pub engine: String,
    /// The engine's id of the task.
    pub task_id: String,
    /// The task's name.
    pub name: String,
    /// Its queue.
    pub queue: String,
    /// The worker that runs it.
    pub worker: String,
    /// Positional arguments.
    pub args: Value,
    /// Named arguments; padded so that an event has an ordinary size.
    pub kwargs: Value,
    /// When it was received.
    pub start: Timestamp,
    env: Env,
}

impl FakeTask {
    /// A task that is received now. Its arguments make the events of an ordinary size, about 720 bytes.
    #[must_use]
    pub fn new(engine: &str, task_id: &str, name: &str) -> Self {
        let env = Env::system();
        Self {
            engine: engine.to_owned(),
            task_id: task_id.to_owned(),
            name: name.to_owned(),
            queue: "default".to_owned(),
            worker: "worker-1@host".to_owned(),
            args: json!([4711, "customer-0815"]),
            kwargs: json!({"note": words(EVENT_BYTES.saturating_sub(340))}),
            start: env.now(),
            env,
        }
    }

    /// Says when it was received.
    #[must_use]
    pub const fn starting_at(mut self, start: Timestamp) -> Self {
        self.start = start;
        self
    }

    /// An event of this task, `step` steps after its start.
    #[must_use]
    pub fn event(&self, kind: &str, step: u32, data: Value) -> FakeEvent {
        let mut all = Map::new();
        all.insert("task_name".to_owned(), Value::String(self.name.clone()));
        all.insert("queue".to_owned(), Value::String(self.queue.clone()));
        all.insert("worker".to_owned(), Value::String(self.worker.clone()));
        if let Value::Object(more) = data {
            all.extend(more);
        }
        FakeEvent {
            id: Uuid::from_u128(self.env.next_id()).to_string(),
            kind: kind.to_owned(),
            engine: self.engine.clone(),
            task_id: self.task_id.clone(),
            occurred_at: self.start.plus(STEP * step).to_string(),
            data: Value::Object(all),
        }
    }

    /// Taken by a worker.
    #[must_use]
    pub fn received(&self) -> FakeEvent {
        let data = json!({"args": self.args, "kwargs": self.kwargs, "root_task_id": self.task_id});
        self.event("task.received", 0, data)
    }

    /// An attempt began. `attempt` counts from zero.
    #[must_use]
    pub fn started(&self, attempt: u32) -> FakeEvent {
        let data = json!({"args": self.args, "kwargs": self.kwargs});
        self.event("task.started", 1 + 2 * attempt, data)
    }

    /// An attempt ended with an error and another one will follow.
    #[must_use]
    pub fn retried(&self, attempt: u32) -> FakeEvent {
        let data =
            json!({"reason": "TimeoutError: upstream did not answer", "kwargs": self.kwargs});
        self.event("task.retried", 2 + 2 * attempt, data)
    }

    /// The last attempt ended well.
    #[must_use]
    pub fn succeeded(&self, attempt: u32) -> FakeEvent {
        let data = json!({"result": words(EVENT_BYTES.saturating_sub(330)), "runtime_ms": 40});
        self.event("task.succeeded", 2 + 2 * attempt, data)
    }

    /// The last attempt ended with an error.
    #[must_use]
    pub fn failed(&self, attempt: u32) -> FakeEvent {
        let traceback = "Traceback (most recent call last):\n  File \"shop/tasks.py\", line 42, in charge\n    raise ValueError(\"card declined\")\nValueError: card declined\n";
        let data = json!({
            "exception": "ValueError",
            "exception_message": "ValueError('card declined')",
            "traceback": traceback.repeat(3),
        });
        self.event("task.failed", 2 + 2 * attempt, data)
    }

    /// Cancelled.
    #[must_use]
    pub fn revoked(&self, terminated: bool) -> FakeEvent {
        let data = json!({"terminated": terminated, "signum": "SIGTERM", "expired": false, "kwargs": self.kwargs});
        self.event("task.revoked", 3, data)
    }

    /// Received, started, succeeded.
    #[must_use]
    pub fn succeeds(&self) -> Vec<FakeEvent> {
        vec![self.received(), self.started(0), self.succeeded(0)]
    }

    /// Received, started, failed.
    #[must_use]
    pub fn fails(&self) -> Vec<FakeEvent> {
        vec![self.received(), self.started(0), self.failed(0)]
    }

    /// Received, then `attempts` times started and retried, then started and succeeded.
    #[must_use]
    pub fn succeeds_after_retries(&self, attempts: u32) -> Vec<FakeEvent> {
        let mut events = vec![self.received()];
        for attempt in 0..attempts {
            events.extend([self.started(attempt), self.retried(attempt)]);
        }
        events.extend([self.started(attempts), self.succeeded(attempts)]);
        events
    }
}

/// Text of exactly `bytes` bytes that looks like somebody's data.
fn words(bytes: usize) -> String {
    "invoice customer address amount currency reference region account "
        .chars()
        .cycle()
        .take(bytes)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_an_ordinary_size() {
        let task = FakeTask::new(
            "celery",
            "0b9e2f8c-7d6a-4a51-9f3e-2d1c0b9a8f7e",
            "shop.tasks.charge",
        );
        for event in task.succeeds() {
            let bytes = event.to_json().to_string().len();
            assert!(
                (620..=820).contains(&bytes),
                "{} has {bytes} bytes",
                event.kind
            );
        }
    }

    #[test]
    fn the_events_of_a_task_have_different_ids_and_times_in_order() {
        let events = FakeTask::new("celery", "t", "n").succeeds_after_retries(2);
        assert_eq!(events.len(), 7);
        for pair in events.windows(2) {
            assert_ne!(pair[0].id, pair[1].id);
            assert!(
                pair[0].occurred_at < pair[1].occurred_at,
                "{} then {}",
                pair[0].kind,
                pair[1].kind
            );
        }
    }
}
