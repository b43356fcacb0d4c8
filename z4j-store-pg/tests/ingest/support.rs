//! What tests of ingest need: a database, events, and a model to compare with.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sqlx::{PgConnection, Row};
use tokio::sync::Mutex;
use z4j_core::audit::{Actor, AuditDraft, AuditKey, ChainId};
use z4j_core::id::{AgentId, AuditId, EventId, ProjectId, TaskKey};
use z4j_core::redact::Redacted;
use z4j_core::store::{
    AuditWrite, CreateProject, EventOutcome, EventStore, IdentityStore, IngestBatch, IngestEvent,
    IngestReceipt, PageRequest, TaskFilter, TaskQueries, TaskSort, TaskSummary,
};
use z4j_core::task::{EventKind, TaskEvent, TaskFacts};
use z4j_core::time::Timestamp;
use z4j_store_pg::PgStore;
use z4j_testkit::mem::MemStore;
use z4j_testkit::postgres::Database;

/// A database with one project.
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) project: ProjectId,
    conn: Mutex<PgConnection>,
}

impl Desk {
    pub(crate) async fn fresh() -> Self {
        Self::on(Database::fresh().await).await
    }

    pub(crate) async fn on(database: Database) -> Self {
        let mut conn = database.connect().await;
        let project = ProjectId::from_u128(77);
        sqlx::query("INSERT INTO projects (id, slug, name, created_at) VALUES ($1, 'p', 'p', 0)")
            .bind(*project.as_uuid())
            .execute(&mut conn)
            .await
            .unwrap();
        Self {
            database,
            project,
            conn: Mutex::new(conn),
        }
    }

    pub(crate) async fn store(&self) -> PgStore {
        self.database.store().await
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let mut conn = self.conn.lock().await;
        sqlx::query(sql).fetch_one(&mut *conn).await.unwrap().get(0)
    }

    pub(crate) async fn text(&self, sql: &'static str) -> String {
        let mut conn = self.conn.lock().await;
        sqlx::query(sql).fetch_one(&mut *conn).await.unwrap().get(0)
    }

    pub(crate) async fn run(&self, sql: &'static str) {
        let mut conn = self.conn.lock().await;
        sqlx::raw_sql(sql).execute(&mut *conn).await.unwrap();
    }
}

/// 2026-11-23T08:00:00Z and some seconds.
pub(crate) fn at_s(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_795_420_800_000_000 + seconds * 1_000_000)
}

fn hash(parts: &[&str]) -> u128 {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    hash
}

pub(crate) fn event(project: ProjectId, kind: &str, task_id: &str, at: Timestamp) -> IngestEvent {
    let agent = AgentId::from_u128(5);
    let kind = EventKind::parse(kind);
    IngestEvent {
        id: EventId::from_u128(hash(&[task_id, kind.as_str(), &at.to_string()])),
        project_id: project,
        agent_id: agent,
        engine: Arc::from("celery"),
        task: Some(TaskEvent::new(kind.clone(), at).with_agent(agent)),
        kind,
        task_id: task_id.into(),
        sent_at: at,
        occurred_at: at,
        worker: None,
        queue: None,
        data: Redacted::vouch(Bytes::from_static(b"{}")),
    }
}

pub(crate) fn not_about_a_task(project: ProjectId, task_id: &str, at: Timestamp) -> IngestEvent {
    let mut event = event(project, "worker.heartbeat", task_id, at);
    event.task = None;
    event
}

pub(crate) fn facts(event: &mut IngestEvent) -> &mut TaskFacts {
    &mut event.task.as_mut().unwrap().facts
}

pub(crate) fn key(event: &IngestEvent) -> TaskKey {
    TaskKey::new(&*event.engine, &*event.task_id)
}

/// The first pages of a list.
pub(crate) async fn listed(
    store: &dyn TaskQueries,
    project: ProjectId,
    (filter, sort): (&TaskFilter, TaskSort),
    pages_max: usize,
) -> Vec<TaskSummary> {
    let mut items = Vec::new();
    let mut request = PageRequest::first(40);
    for _ in 0..pages_max {
        let page = store.tasks(project, filter, sort, request.clone()).await;
        let page = page.unwrap_or_else(|error| panic!("{filter:?} by {sort:?}: {error:?}"));
        items.extend(page.items);
        let Some(next) = page.next else { break };
        request = request.after(Some(next));
    }
    items
}

pub(crate) fn ids(tasks: &[TaskSummary]) -> Vec<&str> {
    tasks.iter().map(|task| task.key.task_id.as_str()).collect()
}

/// Letters without any pattern.
pub(crate) fn noise(length: usize) -> String {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state >> 32 & 0x3f).unwrap())
    };
    (0..length).map(letter).collect()
}

/// `each` events of each of `tasks` tasks, mixed.
pub(crate) fn history(project: ProjectId, tasks: usize, each: usize) -> Vec<IngestEvent> {
    let kinds = [
        "task.sent",
        "task.received",
        "task.started",
        "task.retried",
        "task.started",
        "task.succeeded",
        "task.failed",
        "custom.progress",
        "task.revoked",
        "task.started",
    ];
    let mut events = Vec::with_capacity(tasks * each);
    for step in 0..each {
        for number in 0..tasks {
            let number = (number * 7_919 + step * 31) % tasks;
            let at = at_s(i64::try_from(step * 17 + number % 40).unwrap());
            let mut event = event(
                project,
                kinds[step % kinds.len()],
                &format!("t{number}"),
                at,
            );
            let facts = facts(&mut event);
            facts.name = Some(format!("app.n{}", number % 7).into());
            facts.queue = Some(format!("q{}", (number + step) % 3).into());
            facts.worker = Some(format!("w{}", (number + step) % 5).into());
            (event.worker, event.queue) = (
                facts.worker.as_deref().map(Box::from),
                facts.queue.as_deref().map(Box::from),
            );
            events.push(event);
        }
    }
    events
}

/// One more event of each task.
pub(crate) fn progress(project: ProjectId, tasks: usize) -> Vec<IngestEvent> {
    (0..tasks)
        .map(|number| {
            let at = Timestamp::from_micros(at_s(1).as_micros() + i64::try_from(number).unwrap());
            let mut event = event(project, "task.received", &format!("t{number}"), at);
            facts(&mut event).args = Some(format!("[{number}]").into());
            event
        })
        .collect()
}

pub(crate) fn batch(events: impl AsRef<[IngestEvent]>) -> IngestBatch {
    IngestBatch::new(at_s(600), events.as_ref().to_vec())
}

pub(crate) fn inserted(receipt: &IngestReceipt) -> usize {
    let outcomes = receipt.outcomes.iter();
    outcomes
        .filter(|outcome| **outcome == EventOutcome::Inserted)
        .count()
}

/// Sends batches, two at a time; answers how many events were inserted. A batch that loses too often is sent again.
pub(crate) async fn send(store: &PgStore, batches: Vec<IngestBatch>) -> usize {
    let one = |batch: IngestBatch| async move {
        for _ in 0..20 {
            if let Ok(receipt) = store.ingest(batch.clone()).await {
                return inserted(&receipt);
            }
        }
        panic!("a batch never came in");
    };
    let mut waiting = batches.into_iter();
    let mut running: FuturesUnordered<_> = waiting.by_ref().take(2).map(one).collect();
    let mut sum = 0;
    while let Some(count) = running.next().await {
        sum += count;
        running.extend(waiting.next().map(one));
    }
    sum
}

pub(crate) async fn create_project(model: &MemStore, id: ProjectId) {
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
    let _ = model.create_project(create).await.unwrap();
}

/// Every task `t0…` and every number of the store is that of the model.
pub(crate) async fn assert_equal(
    store: &PgStore,
    model: &MemStore,
    project: ProjectId,
    tasks: usize,
) {
    for number in 0..tasks {
        let key = TaskKey::new("celery", format!("t{number}"));
        let stored = store.task(project, &key).await.unwrap().expect("the task");
        let expected = model.task(project, &key).await.unwrap().expect("the task");
        assert_eq!(stored.record, expected.record, "task {number}");
    }
    assert_eq!(
        store.state_counts(project).await.unwrap(),
        model.state_counts(project).await.unwrap()
    );
    let (since, until) = (at_s(-600), at_s(3_600));
    assert_eq!(
        store.minute_counts(project, since, until).await.unwrap(),
        model.minute_counts(project, since, until).await.unwrap()
    );
    assert_eq!(
        store.facets(project, 50).await.unwrap(),
        model.facets(project, 50).await.unwrap()
    );
}
