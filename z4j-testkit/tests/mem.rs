//! The reference store keeps the contract of the seam, and its faults are the ones that a store may have.

use std::sync::Arc;

use bytes::Bytes;
use z4j_core::audit::{Actor, AuditDraft, AuditKey, ChainId};
use z4j_core::id::{AgentId, AuditId, EventId, ProjectId, ReplicaId, UserId, UserSessionId};
use z4j_core::limits::{QUARANTINE_EXCERPT_BYTES_MAX, QUARANTINE_ROWS_MAX};
use z4j_core::redact::Redacted;
use z4j_core::store::{
    AuditWrite, Coordination, CreateUser, EventStore, IdentityStore, IngestBatch, LeaseOutcome,
    LeaseRequest, NewSession, PasswordHash, PoisonFrame, ReplicaBeat, SetupToken, StoreErrorKind,
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
    for replica in [1, 2] {
        let beat = ReplicaBeat {
            replica: ReplicaId::from_u128(replica),
            is_first: true,
            announced: 0,
            now: Timestamp::EPOCH,
        };
        let _ = store.beat(beat).await.unwrap();
    }
    let gate = Gate::default();
    store.fail_next_in("try_lease", Failpoint::Stall(gate.clone()));
    let stalled = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.try_lease(lease(1)).await.unwrap() }
    });
    gate.reached().await;
    // The stalled write is not there yet, and others pass it.
    assert!(matches!(
        store.try_lease(lease(2)).await.unwrap(),
        LeaseOutcome::Held(grant) if grant.fence == 1
    ));
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

fn entry(id: u128) -> AuditWrite {
    AuditWrite {
        id: AuditId::from_u128(id),
        chain: ChainId::Instance,
        draft: AuditDraft::new(Timestamp::EPOCH, Actor::System, "a.b"),
        key: Arc::new(AuditKey::new("k1", [7; 32])),
    }
}

fn person() -> CreateUser {
    CreateUser {
        id: UserId::from_u128(1),
        email: "ann@example.org".to_owned(),
        display_name: "Ann".to_owned(),
        password_hash: PasswordHash::new("$argon2id$x".to_owned()),
        is_admin: false,
        membership: None,
        at: Timestamp::EPOCH,
        audit: entry(1),
    }
}

fn session_of(user_id: UserId) -> NewSession {
    NewSession {
        id: UserSessionId::from_u128(2),
        token_hash: [3; 32],
        user_id,
        password_hash: person().password_hash,
        created_at: Timestamp::EPOCH,
        idle_until: Timestamp::LATEST,
        expires_at: Timestamp::LATEST,
        remember: false,
        origin: None,
        user_agent: None,
        audit: entry(2),
    }
}

#[tokio::test]
async fn session_of_a_disabled_person_is_absent_while_they_are() {
    let store = MemStore::new();
    let user = person();
    let _ = store.create_user(user.clone()).await.unwrap();
    assert!(store.create_session(session_of(user.id)).await.unwrap());
    for is_active in [true, false, true] {
        store.set_user_active(user.id, is_active);
        let found = store.session(&[3; 32], Timestamp::EPOCH).await.unwrap();
        assert_eq!(found.is_some(), is_active);
    }
    store.set_user_active(user.id, false);
    let late = NewSession {
        id: UserSessionId::from_u128(4),
        token_hash: [5; 32],
        ..session_of(user.id)
    };
    assert!(!store.create_session(late).await.unwrap());
}
