//! What the tests of SQLite's own promises share.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use z4j_core::audit::{Actor, AuditDraft, AuditKey, ChainId};
use z4j_core::id::{AgentId, AuditId, EventId, ProjectId};
use z4j_core::redact::Redacted;
use z4j_core::store::{AuditWrite, CreateProject, IngestBatch, IngestEvent, Store, TaskQueries};
use z4j_core::task::{EventKind, TaskEvent};
use z4j_core::time::Timestamp;

pub(crate) const PROJECT: ProjectId = ProjectId::from_u128(1);
pub(crate) const AGENT: AgentId = AgentId::from_u128(2);

pub(crate) const fn at_s(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_795_420_800_000_000 + seconds * 1_000_000)
}

pub(crate) fn audit(id: u128) -> AuditWrite {
    AuditWrite {
        id: AuditId::from_u128(id),
        chain: ChainId::Instance,
        draft: AuditDraft::new(at_s(0), Actor::System, "test"),
        key: Arc::new(AuditKey::new("k", [1; 32])),
    }
}

pub(crate) async fn create_project(store: &dyn Store) {
    let create = CreateProject {
        id: PROJECT,
        slug: "p".to_owned(),
        name: "p".to_owned(),
        at: at_s(0),
        audit: audit(1),
    };
    let _ = store.create_project(create).await.unwrap();
}

/// `count` events of the task `batch-{number}`, the last of which ends it.
pub(crate) fn batch(number: u64, count: u64, bytes: usize) -> IngestBatch {
    let events = (0..count).map(|index| {
        let kind = if index + 1 == count {
            EventKind::TaskSucceeded
        } else {
            EventKind::parse("task.progress")
        };
        let at = at_s(i64::try_from(index).unwrap());
        IngestEvent {
            id: EventId::from_u128((u128::from(number) << 64) | u128::from(index)),
            project_id: PROJECT,
            agent_id: AGENT,
            engine: Arc::from("celery"),
            kind: kind.clone(),
            task_id: task_id(number).into(),
            sent_at: at,
            occurred_at: at,
            worker: Some("w".into()),
            queue: Some("q".into()),
            data: Redacted::vouch(Bytes::from(format!("\"{}\"", "x".repeat(bytes)))),
            task: Some(TaskEvent::new(kind, at).with_agent(AGENT)),
        }
    });
    IngestBatch::new(at_s(1_000), events.collect())
}

pub(crate) fn task_id(number: u64) -> String {
    format!("batch-{number}")
}

/// How many tasks there are, by the counters.
pub(crate) async fn counted(store: &dyn TaskQueries) -> u64 {
    store
        .state_counts(PROJECT)
        .await
        .unwrap()
        .iter()
        .map(|count| count.count)
        .sum()
}
