//! The reference store keeps the contract of the seam, and its faults are the ones that a store may have.

use std::sync::Arc;

use bytes::Bytes;
use z4j_core::id::{AgentId, EventId, ProjectId, ReplicaId};
use z4j_core::limits::{QUARANTINE_EXCERPT_BYTES_MAX, QUARANTINE_ROWS_MAX};
use z4j_core::redact::Redacted;
use z4j_core::store::{
    Coordination, EventStore, IdentityStore, IngestBatch, LeaseOutcome, LeaseRequest, PoisonFrame,
    SetupToken, StoreErrorKind,
};
use z4j_core::time::Timestamp;
use z4j_testkit::Fresh;
use z4j_testkit::mem::{Failpoint, Gate, MemStore};

async fn fresh() -> Fresh<MemStore> {
    Fresh::new(MemStore::new())
}
z4j_testkit::store_conformance!(fresh);

fn setup_token(text: &str) -> SetupToken {
    SetupToken {
        token: text.to_owned(),
        expires_at: Timestamp::LATEST,
    }
}

fn lease(holder: u128) -> LeaseRequest {
    LeaseRequest {
        name: "upkeep".to_owned(),
        holder: ReplicaId::from_u128(holder),
        ttl: std::time::Duration::from_secs(60),
        now: Timestamp::EPOCH,
    }
}

#[tokio::test]
async fn fault_before_the_commit_leaves_nothing_and_after_it_everything() {
    let store = MemStore::new();
    store.fail_next(Failpoint::BeforeCommit);
    store.fail_next(Failpoint::AfterCommit);

    let fault = store
        .put_setup_token(setup_token("first"))
        .await
        .unwrap_err();
    assert_eq!(fault.kind(), StoreErrorKind::Unavailable);
    assert_eq!(store.setup_token().await.unwrap(), None);

    store
        .put_setup_token(setup_token("second"))
        .await
        .unwrap_err();
    assert_eq!(
        store.setup_token().await.unwrap(),
        Some(setup_token("second"))
    );

    store.put_setup_token(setup_token("third")).await.unwrap();
    assert_eq!(
        store.setup_token().await.unwrap(),
        Some(setup_token("third"))
    );
}

#[tokio::test]
async fn fault_of_one_method_leaves_the_others_alone() {
    let store = MemStore::new();
    store.fail_next_in("ingest", Failpoint::BeforeCommit);
    store.put_setup_token(setup_token("t")).await.unwrap();
    let batch = IngestBatch::new(Timestamp::EPOCH, Vec::new());
    assert!(store.ingest(batch.clone()).await.is_err());
    assert!(store.ingest(batch).await.is_ok());
}

#[tokio::test]
async fn stalled_write_happens_when_the_gate_opens() {
    let store = Arc::new(MemStore::new());
    let gate = Gate::default();
    store.fail_next_in("try_lease", Failpoint::Stall(gate.clone()));
    let stalled = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.try_lease(lease(1)).await.unwrap() }
    });
    gate.reached().await;
    // The stalled write is not there yet, and others pass it.
    assert_eq!(
        store.try_lease(lease(2)).await.unwrap(),
        LeaseOutcome::Held { fence: 1 }
    );
    gate.open();
    assert!(matches!(stalled.await.unwrap(), LeaseOutcome::Taken { .. }));
}

fn frame(id: u32) -> PoisonFrame {
    PoisonFrame {
        id: EventId::from_u128(u128::from(id)),
        project_id: ProjectId::from_u128(1),
        agent_id: AgentId::from_u128(2),
        reason: "malformed_event",
        detail: "the event has no kind".to_owned(),
        excerpt: Redacted::vouch(Bytes::from(vec![b'x'; QUARANTINE_EXCERPT_BYTES_MAX + 1])),
    }
}

#[tokio::test]
async fn quarantine_holds_each_frame_once_cut_and_the_latest_only() {
    let store = MemStore::new();
    let frames: Vec<PoisonFrame> = (0..QUARANTINE_ROWS_MAX + 3).map(frame).collect();
    for _ in 0..2 {
        let latest = frames[10..].to_vec();
        let batch = IngestBatch::new(Timestamp::EPOCH, Vec::new());
        let _ = store
            .ingest(batch.clone().with_poison(frames[..10].to_vec()))
            .await
            .unwrap();
        let _ = store.ingest(batch.with_poison(latest)).await.unwrap();
    }
    let kept = store.quarantine(ProjectId::from_u128(1));
    assert_eq!(kept.len(), QUARANTINE_ROWS_MAX as usize);
    assert!(
        kept.iter()
            .all(|frame| frame.excerpt.get().len() == QUARANTINE_EXCERPT_BYTES_MAX)
    );
    assert!(store.quarantine(ProjectId::from_u128(9)).is_empty());
}
