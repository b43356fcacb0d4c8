//! Tasks that begin, fail, are tried again and end, as a seed decides.

use std::time::Duration;

use serde_json::{Map, Value, json};
use z4j_core::engine::EngineEvent;
use z4j_core::task::EventKind;
use z4j_core::time::Timestamp;

use super::Chance;

/// Tasks that are under way at once, at most.
const OPEN_MAX: usize = 4;

/// Makes the events of one agent's tasks, one after the other.
#[derive(Debug)]
pub struct TaskScript {
    agent: String,
    chance: Chance,
    begun: u64,
    open: Vec<Open>,
    last: Timestamp,
}

#[derive(Debug)]
struct Open {
    task_id: String,
    is_running: bool,
    attempts: u32,
}

impl TaskScript {
    /// The script of an agent, whose name is part of every task id: no two agents report one task.
    #[must_use]
    pub fn new(seed: u64, agent: &str) -> Self {
        Self {
            agent: agent.to_owned(),
            chance: Chance::for_purpose(seed, agent),
            begun: 0,
            open: Vec::new(),
            last: Timestamp::EPOCH,
        }
    }

    /// What happens next, at `now` or just after what happened before: two events of one task never share their time.
    pub fn next(&mut self, now: Timestamp) -> EngineEvent {
        self.last = now.max(self.last.plus(Duration::from_micros(1)));
        let begins = self.open.is_empty() || (self.open.len() < OPEN_MAX && self.chance.one_in(3));
        if begins {
            self.begun += 1;
            let task_id = format!("{}-{}", self.agent, self.begun);
            let data = json!({"args": [self.begun, "order"], "kwargs": {"region": "north"}});
            let event = self.event(EventKind::TaskReceived, &task_id, data);
            self.open.push(Open {
                task_id,
                is_running: false,
                attempts: 0,
            });
            return event;
        }
        let place = self.chance.index(self.open.len());
        self.go_on(place)
    }

    /// How long until something happens again.
    pub fn pause(&mut self) -> Duration {
        self.chance
            .between(Duration::from_millis(100), Duration::from_millis(2_500))
    }

    fn go_on(&mut self, place: usize) -> EngineEvent {
        let mut task = self.open.swap_remove(place);
        let (kind, data, goes_on) = if task.is_running {
            match self.chance.below(6) {
                0 if task.attempts < 3 => (
                    EventKind::TaskRetried,
                    json!({"reason": "upstream did not answer"}),
                    true,
                ),
                1 => (
                    EventKind::TaskFailed,
                    json!({"exception": "ValueError", "exception_message": "no such order"}),
                    false,
                ),
                2 => (EventKind::TaskRevoked, json!({"terminated": true}), false),
                _ => (
                    EventKind::TaskSucceeded,
                    json!({"result": "done", "runtime_ms": 40}),
                    false,
                ),
            }
        } else {
            task.attempts += 1;
            (EventKind::TaskStarted, json!({}), true)
        };
        let event = self.event(kind, &task.task_id, data);
        task.is_running = !task.is_running;
        if goes_on {
            self.open.push(task);
        }
        event
    }

    fn event(&self, kind: EventKind, task_id: &str, data: Value) -> EngineEvent {
        let mut all = Map::new();
        all.insert("task_name".to_owned(), json!("shop.charge"));
        all.insert("queue".to_owned(), json!("default"));
        all.insert("worker".to_owned(), json!(format!("{}@box", self.agent)));
        if let Value::Object(more) = data {
            all.extend(more);
        }
        EngineEvent {
            kind,
            task_id: task_id.to_owned(),
            occurred_at: self.last,
            data: all,
        }
    }
}
