//! How many events per second one SQLite store keeps, for batches of several sizes, and how fast lists are then:
//! `ingest_rate [events [batch]]`.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a measurement reads the clock, and says what is wrong by stopping"
)]

use std::sync::Arc;
use std::time::Instant;

use z4j_core::audit::{Actor, AuditDraft, AuditKey, ChainId};
use z4j_core::id::{AgentId, AuditId, EventId, ProjectId};
use z4j_core::redact::Redacted;
use z4j_core::store::{
    AuditWrite, CreateProject, EventStore, IdentityStore, IngestBatch, IngestEvent, PageRequest,
    TaskFilter, TaskQueries, TaskSort,
};
use z4j_core::task::{EventKind, TaskEvent, TaskFacts, TaskState};
use z4j_core::time::Timestamp;
use z4j_store_sqlite::SqliteStore;

const BATCHES: [(usize, usize); 5] = [(1, 1), (1, 50), (100, 4), (500, 4), (2_000, 4)];

fn main() {
    let events: usize = std::env::args()
        .nth(1)
        .map_or(60_000, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let only: Option<usize> = std::env::args().nth(2).map(|text| text.parse().unwrap());
    for (batch, writers) in BATCHES
        .into_iter()
        .filter(|(batch, _)| only.is_none_or(|only| only == *batch))
    {
        let events = if batch == 1 { events / 6 } else { events };
        let (rate, bytes) = runtime.block_on(run(events, batch, writers));
        println!(
            "batch {batch:>5}, {writers:>2} in flight: {rate:>8.0} events/s, {bytes:>5.0} bytes/event on disk"
        );
    }
}

async fn run(events: usize, batch: usize, writers: usize) -> (f64, f64) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    let project = project(&store).await;
    let all: Vec<_> = (0..events).map(|index| event(project, index)).collect();
    let received_at = Timestamp::from_micros(1_795_420_900_000_000);
    let mut shares: Vec<Vec<IngestBatch>> = vec![Vec::new(); writers];
    for (index, chunk) in all.chunks(batch).enumerate() {
        shares[index % writers].push(IngestBatch::new(received_at, chunk.to_vec()));
    }
    drop(all);
    let start = Instant::now();
    let tasks: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let store = store.clone();
            tokio::spawn(async move {
                for batch in share {
                    let _ = store.ingest(batch).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    if batch == 2_000 {
        time_lists(&store, project).await;
    }
    store.close().await;
    let bytes = std::fs::metadata(store.path()).unwrap().len();
    (events as f64 / seconds, bytes as f64 / events as f64)
}

async fn time_lists(store: &SqliteStore, project: ProjectId) {
    let none = TaskFilter::default();
    let some = |text: &str| Some(text.to_owned());
    let failures = vec![TaskState::Failure];
    let lists = [
        ("first page", none.clone(), TaskSort::UpdatedDesc),
        ("longest run", none.clone(), TaskSort::RuntimeDesc),
        ("latest finished", none.clone(), TaskSort::FinishedDesc),
        (
            "failures",
            TaskFilter {
                states: failures.clone(),
                ..none.clone()
            },
            TaskSort::UpdatedDesc,
        ),
        (
            "one name",
            TaskFilter {
                name: some("shop.tasks.step_3"),
                ..none.clone()
            },
            TaskSort::UpdatedDesc,
        ),
        (
            "failures of a queue",
            TaskFilter {
                states: failures,
                queue: some("q0"),
                ..none.clone()
            },
            TaskSort::UpdatedDesc,
        ),
        (
            "search, many hits",
            TaskFilter {
                search: some("CUSTOMER@"),
                ..none.clone()
            },
            TaskSort::UpdatedDesc,
        ),
        (
            "search, no hit",
            TaskFilter {
                search: some("nowhere to be found"),
                ..none
            },
            TaskSort::UpdatedDesc,
        ),
    ];
    for (what, filter, sort) in lists {
        let mut times = Vec::new();
        for _ in 0..if what == "search, no hit" { 5 } else { 50 } {
            let start = Instant::now();
            let page = store
                .tasks(project, &filter, sort, PageRequest::first(50))
                .await
                .unwrap();
            times.push((start.elapsed().as_secs_f64() * 1e3, page.items.len()));
        }
        times.sort_by(|left, right| left.0.total_cmp(&right.0));
        let (middle, worst) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "  {what:<20} {:>3} rows, p50 {:>8.2} ms, worst {:>8.2} ms",
            middle.1, middle.0, worst.0
        );
    }
}

async fn project(store: &SqliteStore) -> ProjectId {
    let id = ProjectId::from_u128(1);
    let at = Timestamp::EPOCH;
    let audit = AuditWrite {
        id: AuditId::from_u128(1),
        chain: ChainId::Instance,
        draft: AuditDraft::new(at, Actor::System, "project.create"),
        key: Arc::new(AuditKey::new("k", [1; 32])),
    };
    let create = CreateProject {
        id,
        slug: "p".into(),
        name: "p".into(),
        at,
        audit,
    };
    let _ = store.create_project(create).await.unwrap();
    id
}

/// Received, started, succeeded (or failed, one in twenty) of one task after another, 40 tasks at once.
fn event(project: ProjectId, index: usize) -> IngestEvent {
    let (round, place) = (index / 120, index % 120);
    let (step, number) = (place / 40, round * 40 + place % 40);
    let hash = (number as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    let task_id = uuid::Uuid::from_u128(hash).to_string();
    let kind = match step {
        0 => EventKind::TaskReceived,
        1 => EventKind::TaskStarted,
        _ if number.is_multiple_of(20) => EventKind::TaskFailed,
        _ => EventKind::TaskSucceeded,
    };
    let at = Timestamp::from_micros(1_795_420_800_000_000 + i64::try_from(index).unwrap() * 40);
    let agent = AgentId::from_u128(1);
    let args = r#"[1042, "customer@example.com", {"items": [1, 2, 3, 4], "total": "129.90"}]"#;
    let kwargs =
        r#"{"priority": "normal", "dry_run": false, "region": "eu-central-1", "attempt": 1}"#;
    let traceback = "Traceback (most recent call last):\n".repeat(10);
    let facts = TaskFacts {
        name: Some(format!("shop.tasks.step_{}", number % 12).into()),
        queue: Some(format!("q{}", number % 4).into()),
        worker: Some(format!("celery@worker-{}", number % 8).into()),
        args: (step == 0).then(|| args.into()),
        kwargs: (step == 0).then(|| kwargs.into()),
        result: (kind == EventKind::TaskSucceeded)
            .then(|| r#"{"status": "ok", "invoice": "INV-2026-001"}"#.into()),
        exception: (kind == EventKind::TaskFailed).then(|| "ValueError".into()),
        traceback: (kind == EventKind::TaskFailed).then(|| traceback.into()),
        ..TaskFacts::default()
    };
    let data = format!(
        r#"{{"args": {args}, "kwargs": {kwargs}, "name": "x", "padding": "{}"}}"#,
        "p".repeat(300)
    );
    IngestEvent {
        id: EventId::from_u128(
            hash.rotate_left(u32::try_from(step).unwrap() * 32 + 7) ^ step as u128,
        ),
        project_id: project,
        agent_id: agent,
        engine: Arc::from("celery"),
        kind: kind.clone(),
        task_id: task_id.into(),
        sent_at: at,
        occurred_at: at,
        worker: facts.worker.as_deref().map(Box::from),
        queue: facts.queue.as_deref().map(Box::from),
        data: Redacted::vouch(data.into()),
        task: Some(TaskEvent::new(kind, at).with_agent(agent).with_facts(facts)),
    }
}
