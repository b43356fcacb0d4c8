//! What published agents really sent, sent again to this brain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{WAIT, brain, eventually};
use serde::Deserialize;
use serde_json::value::RawValue;
use z4j_core::id::TaskKey;
use z4j_core::task::{EventKind, TaskEvent, TaskRecord, Verdict, apply};
use z4j_core::time::Timestamp;
use z4j_core::wire::{FrameType, Hello};
use z4j_testkit::fake_agent::FakeAgent;
use z4j_testkit::fixture::TestBrain;

/// Sessions of which each ran in one process from hello to its end.
const TRANSCRIPTS: [&str; 4] = [
    "ws-celery-worker",
    "ws-rq-worker",
    "ws-bare-stub-engine",
    "ws-independent-agent-vs-reference-brain",
];

#[derive(Deserialize)]
struct Line {
    dir: String,
    frame: Option<Sent>,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    id: String,
    #[serde(rename = "type", default)]
    kind: String,
    payload: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Event {
    kind: String,
    engine: String,
    task_id: String,
    occurred_at: String,
    data: Box<RawValue>,
}

fn sent(name: &str) -> Vec<Sent> {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../z4j-core/tests/data/transcripts");
    let text = fs::read_to_string(directory.join(format!("{name}.jsonl"))).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let upward = lines.filter(|line| line.dir == "agent->brain");
    upward
        .filter_map(|line| line.frame)
        .filter(|frame| frame.payload.is_some())
        .collect()
}

/// What the pure model makes of the events in the order sent.
fn modelled(frames: &[Sent]) -> BTreeMap<TaskKey, TaskRecord> {
    let mut tasks: BTreeMap<TaskKey, TaskRecord> = BTreeMap::new();
    let batches = frames.iter().filter(|frame| frame.kind == "event_batch");
    let payloads = batches
        .filter_map(|frame| serde_json::from_str::<Batch>(frame.payload.as_ref()?.get()).ok());
    for raw in payloads.flat_map(|batch| batch.events) {
        let Ok(event) = serde_json::from_str::<Event>(raw.get()) else {
            continue;
        };
        let kind = EventKind::parse(&event.kind);
        if event.task_id.is_empty() || !kind.may_concern_task() {
            continue;
        }
        let at = Timestamp::parse(&event.occurred_at, true).unwrap();
        let report = TaskEvent::from_data(kind, at, None, &event.data);
        let key = TaskKey::new(event.engine, event.task_id);
        if let Verdict::Advance(record) = apply(tasks.get(&key), &report) {
            tasks.insert(key, record);
        }
    }
    tasks
}

async fn replay(brain: &TestBrain, name: &str, frames: &[Sent]) {
    let credentials = brain.mint(name).await.unwrap();
    let hello = frames.iter().find(|frame| frame.kind == "hello").unwrap();
    let hello: Hello = serde_json::from_str(hello.payload.as_ref().unwrap().get()).unwrap();
    let config = brain
        .config_of(&credentials)
        .unwrap()
        .with_hello(|own| *own = hello);
    let mut agent = FakeAgent::connect(config).await.unwrap();
    for frame in frames {
        let Ok(kind @ (FrameType::EventBatch | FrameType::Heartbeat | FrameType::AgentStatus)) =
            frame.kind.parse()
        else {
            continue;
        };
        agent
            .send(kind, &frame.id, frame.payload.as_ref().unwrap())
            .await
            .unwrap();
        if kind == FrameType::EventBatch {
            agent.wait_ack(&frame.id, WAIT).await.unwrap();
        }
    }
    agent.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_sessions_end_in_the_tasks_that_the_model_says() {
    let (_directory, brain) = brain().await;
    for name in TRANSCRIPTS {
        let frames = sent(name);
        let model = modelled(&frames);
        assert!(!model.is_empty(), "{name} holds events");
        replay(&brain, name, &frames).await;
        for (key, record) in model {
            let stored = brain
                .store()
                .task(brain.project(), &key)
                .await
                .unwrap()
                .unwrap()
                .summary;
            assert_eq!(stored.state, record.state(), "{name}: {key:?}");
            assert_eq!(stored.name.as_deref(), record.name(), "{name}: {key:?}");
            assert!(
                !stored.name.is_some_and(|name| name.starts_with("<unknown")),
                "{name}: {key:?}"
            );
        }
    }
    let worker = eventually("the Celery worker is known by its heartbeat", || async {
        let workers = brain.store().workers(brain.project()).await.unwrap();
        workers
            .into_iter()
            .find(|worker| worker.name == "w1@proto" && worker.details.is_some())
    })
    .await;
    assert_eq!((worker.concurrency, worker.pid), (Some(2), Some(27013)));
}
