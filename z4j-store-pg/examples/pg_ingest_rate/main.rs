//! How many events per second one PostgreSQL store keeps, for batches of several sizes, in an empty database of its own on
//! the server of `DATABASE_URL` or of this machine: `pg_ingest_rate [events [batch [in_flight [tasks_at_once [stored]]]]]`.
//! `stored` events go in first, unmeasured, so that the table has its size. Batches of 2,000 are then compared with the best
//! bare shape of SQL, which writes the same rows.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a measurement reads the clock, and says what is wrong by stopping"
)]

mod bare;

use std::sync::Arc;
use std::time::Instant;

use sqlx::Row;
use z4j_core::id::{AgentId, EventId, ProjectId};
use z4j_core::redact::Redacted;
use z4j_core::store::{EventStore, IngestBatch, IngestEvent};
use z4j_core::task::{EventKind, TaskEvent, TaskFacts};
use z4j_core::time::Timestamp;
use z4j_store_pg::PgStore;
use z4j_testkit::postgres::{Cluster, Database};

const SHAPES: [(usize, usize); 7] = [
    (1, 1),
    (10, 1),
    (100, 1),
    (500, 1),
    (2_000, 1),
    (500, 2),
    (2_000, 2),
];
/// Smaller batches wait for round trips and commits more than for the rows.
const BARE_BATCH_MIN: usize = 2_000;
const PROJECT: ProjectId = ProjectId::from_u128(1);

fn main() {
    let given = |place: usize| -> Option<usize> {
        std::env::args()
            .nth(place)
            .map(|text| text.parse().unwrap())
    };
    let events = given(1).unwrap_or(60_000);
    let at_once = given(4).unwrap_or(40);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let shapes: Vec<_> = match given(2) {
        Some(batch) => vec![(batch, given(3).unwrap_or(1))],
        None => SHAPES.to_vec(),
    };
    runtime.block_on(async {
        let cluster = match std::env::var("DATABASE_URL") {
            Ok(_) => None,
            Err(_) => {
                let settings = ["shared_buffers=1GB", "max_wal_size=8GB", "fsync=on"];
                Some(Cluster::with_settings(&settings).await)
            }
        };
        for (batch, in_flight) in shapes {
            let events = (events * batch.min(100) / 100).max(2_000).min(events);
            let fresh = async || match &cluster {
                Some(cluster) => cluster.database().await,
                None => Database::fresh().await,
            };
            let database = fresh().await;
            let stored = given(5).unwrap_or(0);
            let rate = run(&database, events, batch, in_flight, at_once, stored).await;
            if batch >= BARE_BATCH_MIN && stored == 0 {
                let bare = bare::rate(&database, &fresh().await, batch, in_flight).await;
                println!(
                    "  the best bare shape, same rows: {bare:>7.0} events/s; the store reaches {:.0} % of it",
                    100.0 * rate / bare
                );
            }
        }
    });
}

async fn run(
    database: &Database,
    events: usize,
    batch: usize,
    in_flight: usize,
    at_once: usize,
    stored: usize,
) -> f64 {
    let mut conn = database.connect().await;
    sqlx::query("INSERT INTO projects (id, slug, name, created_at) VALUES ($1, 'p', 'p', 0)")
        .bind(*PROJECT.as_uuid())
        .execute(&mut conn)
        .await
        .unwrap();
    let store = database.store().await;
    const SLICE: usize = 250_000;
    let mut first = 0;
    while first < stored {
        let count = SLICE.min(stored - first);
        let (seconds, _) = send(&store, first, count, 2_000, 2, at_once).await;
        println!(
            "  {:>8} stored before, then {:>6.0} events/s",
            first,
            count as f64 / seconds
        );
        first += count;
    }
    let (seconds, mut waits) = send(&store, stored, events, batch, in_flight, at_once).await;
    waits.sort_by(f64::total_cmp);
    let row = sqlx::query("SELECT pg_database_size(current_database())")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    println!(
        "batch {batch:>5}, {in_flight} in flight, {at_once} tasks at once, {stored} stored: {:>7.0} events/s, p50 {:>7.2} ms, p99 {:>7.2} ms, {:>5.0} bytes/event on disk",
        events as f64 / seconds,
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
        row.get::<i64, _>(0) as f64 / (stored + events) as f64
    );
    store.close().await;
    events as f64 / seconds
}

/// Sends events from the number `first` on; answers the seconds it took and the milliseconds of each batch.
async fn send(
    store: &PgStore,
    first: usize,
    events: usize,
    batch: usize,
    in_flight: usize,
    at_once: usize,
) -> (f64, Vec<f64>) {
    let all: Vec<_> = (first..first + events)
        .map(|index| event(index, at_once))
        .collect();
    let received_at = Timestamp::from_micros(1_795_420_900_000_000);
    let mut shares: Vec<Vec<IngestBatch>> = vec![Vec::new(); in_flight];
    for (index, chunk) in all.chunks(batch).enumerate() {
        shares[index % in_flight].push(IngestBatch::new(received_at, chunk.to_vec()));
    }
    drop(all);
    let start = Instant::now();
    let tasks: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut waits = Vec::with_capacity(share.len());
                for batch in share {
                    let start = Instant::now();
                    let _ = store.ingest(batch).await.unwrap();
                    waits.push(start.elapsed().as_secs_f64() * 1e3);
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    (start.elapsed().as_secs_f64(), waits)
}

/// Received, started, succeeded (or failed, one in twenty) of one task after another, `at_once` tasks at once.
fn event(index: usize, at_once: usize) -> IngestEvent {
    let (round, place) = (index / (3 * at_once), index % (3 * at_once));
    let (step, number) = (place / at_once, round * at_once + place % at_once);
    let hash = (number as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    let hash = (hash ^ (hash >> 61)).wrapping_mul(0xBF58_476D_1CE4_E5B9_94D0_49BB_1331_11EB);
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
        r#"{{"args": {args}, "kwargs": {kwargs}, "name": "x", "padding": "{:0300x}"}}"#,
        hash
    );
    IngestEvent {
        id: EventId::from_u128(
            hash.rotate_left(u32::try_from(step).unwrap() * 32 + 7) ^ step as u128,
        ),
        project_id: PROJECT,
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
