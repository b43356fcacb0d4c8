//! What happens in the simulated application: tasks come and go, workers tell of each other, people press buttons.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use z4j_core::time::Timestamp;

use super::Chance;
use super::fleet::{AgentKind, Entry, EventSpec, Fleet, Slot, SlotNo};
use super::oracle::Standing;

/// A pause between two new tasks, in milliseconds.
const PAUSE_MS: (u64, u64) = (100, 1_800);
const NAMES: [&str; 5] = [
    "shop.tasks.charge",
    "shop.tasks.ship",
    "mail.send",
    "reports.nightly",
    "thumbnails.make",
];
const QUEUES: [&str; 3] = ["default", "mail", "slow"];

/// Makes tasks until it is dropped.
#[derive(Debug)]
pub(crate) struct Workload {
    fleet: Arc<Fleet>,
    seed: u64,
}

impl Workload {
    pub(crate) const fn new(fleet: Arc<Fleet>, seed: u64) -> Self {
        Self { fleet, seed }
    }

    pub(crate) async fn run(self) {
        let mut chance = Chance::new(self.seed, "workload");
        let mut lives = JoinSet::new();
        for number in 0_u32.. {
            tokio::time::sleep(chance.ms(PAUSE_MS.0, PAUSE_MS.1)).await;
            let slots = self.fleet.slots();
            let Some(slot) = chance.pick(&slots).cloned() else {
                return;
            };
            let mut observers = slots.iter().filter(|other| {
                other.kind == AgentKind::Stock
                    && other.project == slot.project
                    && other.no != slot.no
            });
            let observer = observers.next().map(|other| other.no);
            let life = Life {
                fleet: Arc::clone(&self.fleet),
                chance: Chance::new(self.seed, &format!("task {number}")),
                observer,
                slot,
                task_id: String::new(),
                facts: Map::new(),
                last_at: None,
            };
            lives.spawn(life.run());
            while lives.try_join_next().is_some() {}
        }
    }
}

/// One task from its receipt to its end.
struct Life {
    fleet: Arc<Fleet>,
    chance: Chance,
    slot: Slot,
    /// A process on the same broker that reports what it sees of others.
    observer: Option<SlotNo>,
    task_id: String,
    facts: Map<String, Value>,
    last_at: Option<Timestamp>,
}

impl Life {
    async fn run(mut self) {
        let mut bytes = [0; 16];
        self.chance.fill(&mut bytes);
        self.task_id = uuid::Uuid::from_bytes(bytes).to_string();
        self.observer = self.observer.filter(|_| self.chance.happens(250));
        self.facts = self.first_facts();
        let args =
            json!({ "args": [self.chance.below(1000), "customer"], "kwargs": { "note": "gift" } });
        self.tell("task.received", args);
        self.wait(5, 700).await;
        self.tell("task.started", json!({}));
        self.wait(5, 900).await;
        while self.chance.happens(150) {
            self.retry().await;
        }
        match self.chance.below(100) {
            0..70 => self.tell("task.succeeded", json!({ "result": "'ok'", "runtime_ms": 40 })),
            70..88 => self.tell(
                "task.failed",
                json!({ "exception": "ValueError", "exception_message": "ValueError('no')", "traceback": "line 1" }),
            ),
            88..94 => self.tell("task.revoked", json!({ "terminated": true })),
            _ => {}
        }
    }

    async fn retry(&mut self) {
        self.tell("task.retried", json!({ "reason": "TimeoutError" }));
        if self.chance.happens(300) {
            // Two of one kind a microsecond apart are two.
            self.last_at = self.last_at.map(|at| at.plus(Duration::from_micros(1)));
            if let Some(at) = self.last_at {
                self.tell_at("task.retried", json!({ "reason": "again" }), at);
            }
        }
        self.wait(20, 800).await;
        self.tell("task.received", json!({}));
        self.wait(5, 300).await;
        self.tell("task.started", json!({}));
        self.wait(5, 500).await;
    }

    fn first_facts(&mut self) -> Map<String, Value> {
        let name = self.chance.pick(&NAMES).copied().unwrap_or_default();
        let queue = self.chance.pick(&QUEUES).copied().unwrap_or_default();
        let facts = json!({ "task_name": name, "queue": queue, "worker": self.slot.worker });
        match facts {
            Value::Object(facts) => facts,
            _ => Map::new(),
        }
    }

    async fn wait(&mut self, low: u64, high: u64) {
        tokio::time::sleep(self.chance.ms(low, high)).await;
    }

    /// Tells what happens now; sometimes in the very microsecond of what happened before.
    fn tell(&mut self, kind: &'static str, more: Value) {
        let Some(now) = self.fleet.now(self.slot.no) else {
            return;
        };
        let micros = Duration::from_micros(self.chance.below(1000));
        let same = self.last_at.filter(|_| self.chance.happens(80));
        let at = same.unwrap_or(now.plus(micros));
        self.tell_at(kind, more, at);
    }

    fn tell_at(&mut self, kind: &'static str, more: Value, at: Timestamp) {
        self.last_at = Some(at);
        let mut data = self.facts.clone();
        if let Value::Object(more) = more {
            data.extend(more);
        }
        let spec = EventSpec {
            kind,
            task_id: self.task_id.clone(),
            at,
            spelled: self.odd_time(at),
            data,
            standing: Standing::Own,
        };
        let entries = self.with_neighbours(spec.clone());
        self.fleet.emit(self.slot.no, entries, &mut self.chance);
        self.observe(spec);
    }

    /// Another process on the broker tells the same, with the time at which it looked.
    fn observe(&mut self, mut spec: EventSpec) {
        let Some(observer) = self.observer else {
            return;
        };
        spec.at = spec
            .at
            .plus(Duration::from_micros(self.chance.between(300, 9_000)));
        spec.spelled = None;
        spec.standing = Standing::SecondHand;
        self.fleet.emit(
            observer,
            vec![Entry::Event(Box::new(spec))],
            &mut self.chance,
        );
    }

    fn with_neighbours(&mut self, spec: EventSpec) -> Vec<Entry> {
        let mut entries = vec![Entry::Event(Box::new(spec))];
        if self.chance.happens(60) {
            let poison = self.poison();
            let at = self.chance.index(entries.len() + 1);
            entries.insert(at, Entry::Poison(poison));
        }
        entries
    }

    fn poison(&mut self) -> Value {
        let worker = self.slot.worker.as_str();
        match self.chance.below(6) {
            0 => json!(42),
            1 => json!("an event"),
            2 => json!({ "kind": "task.started", "engine": "celery", "task_id": 7 }),
            3 => json!({ "kind": "task.started", "engine": "", "task_id": self.task_id }),
            4 => json!({ "kind": "k".repeat(100), "engine": "celery", "task_id": "t" }),
            _ => {
                json!({ "kind": "task.started", "engine": "celery", "task_id": "x".repeat(300), "data": { "worker": worker } })
            }
        }
    }

    /// Times that agents send when their host's clock or their code is off.
    fn odd_time(&mut self, at: Timestamp) -> Option<String> {
        if self.slot.kind == AgentKind::Rust || !self.chance.happens(40) {
            return None;
        }
        let text = at.to_string();
        Some(match self.chance.below(5) {
            0 => "1970-01-01T00:00:00.000001Z".to_owned(),
            1 => "2100-02-03T04:05:06.000007Z".to_owned(),
            2 => text.trim_end_matches('Z').to_owned(),
            3 => "2025-01-02T03:04:05.678901+02:00".to_owned(),
            _ => text.replace('Z', "+00:00"),
        })
    }
}
