//! Faults of a running store: a full disk, a bad neighbour, and what only SQLite can show.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

mod support;

use futures_core::Stream;
use rusqlite::Connection;
use support::{AGENT, PROJECT, at_s, audit, batch, counted, create_project};
use z4j_core::id::{CommandId, EventId, UserId, UserSessionId};
use z4j_core::limits::QUARANTINE_ROWS_MAX;
use z4j_core::redact::Redacted;
use z4j_core::store::{
    CommandStore, Coordination, CreateUser, EventOutcome, EventStore, IdentityStore, IngestBatch,
    IssueCommand, NewSession, PasswordHash, PoisonFrame, StoreErrorKind, Topic,
};
use z4j_store_sqlite::{SqliteConfig, SqliteStore};
use z4j_testkit::small_disk::SmallDisk;

/// Sends batches until one is refused; answers how many were stored.
async fn fill(store: &SqliteStore) -> u64 {
    for number in 0..10_000 {
        if let Err(fault) = store.ingest(batch(number, 5, 20_000)).await {
            assert_eq!(fault.kind(), StoreErrorKind::Full, "{fault:?}");
            return number;
        }
    }
    panic!("the store never filled up");
}

#[tokio::test]
async fn a_full_store_refuses_whole_batches_and_keeps_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("z4j.db");
    let store = SqliteStore::open(SqliteConfig::new(&path).with_pages_max(1_000)).unwrap();
    create_project(&store).await;
    let stored = fill(&store).await;
    assert!(stored > 5);
    assert_eq!(
        counted(&store).await,
        stored,
        "reads go on, and the refused batch left nothing"
    );
    assert_eq!(
        store
            .ingest(batch(stored, 5, 20_000))
            .await
            .expect_err("full")
            .kind(),
        StoreErrorKind::Full
    );
    assert!(
        store.probe(at_s(1)).await.is_ok(),
        "a small write fits in pages that are there"
    );
    store.close().await;
    let roomy = SqliteStore::open(SqliteConfig::new(&path)).unwrap();
    let receipt = roomy.ingest(batch(stored, 5, 20_000)).await.unwrap();
    assert!(
        receipt
            .outcomes
            .iter()
            .all(|outcome| *outcome == EventOutcome::Inserted)
    );
    assert_eq!(counted(&roomy).await, stored + 1);
}

#[tokio::test]
async fn a_full_disk_is_usable_again_once_there_is_room() {
    let disk = SmallDisk::mount(6);
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let store =
        SqliteStore::open(SqliteConfig::new(disk.path().join("z4j.db")).with_readers(1)).unwrap();
    create_project(&store).await;
    let stored = fill(&store).await;
    assert_eq!(counted(&store).await, stored);
    assert!(store.ingest(batch(stored, 5, 20_000)).await.is_err());
    std::fs::remove_file(ballast).unwrap();
    let receipt = store.ingest(batch(stored, 5, 20_000)).await.unwrap();
    assert!(
        receipt
            .outcomes
            .iter()
            .all(|outcome| *outcome == EventOutcome::Inserted)
    );
    assert_eq!(counted(&store).await, stored + 1);
}

#[tokio::test]
async fn two_stores_on_one_file_store_what_both_are_given() {
    let directory = tempfile::tempdir().unwrap();
    let first = SqliteStore::in_dir(directory.path()).unwrap();
    create_project(&first).await;
    let second = SqliteStore::in_dir(directory.path()).unwrap();
    for round in 0..10 {
        for (store, number) in [(&first, 2 * round), (&second, 2 * round + 1)] {
            let receipt = store.ingest(batch(number, 3, 10)).await.unwrap();
            assert_eq!(receipt.outcomes, [EventOutcome::Inserted; 3], "{number}");
        }
    }
    assert_eq!(counted(&first).await, 20);
}

fn command(id: u128) -> IssueCommand {
    IssueCommand {
        id: CommandId::from_u128(id),
        project_id: PROJECT,
        agent_id: AGENT,
        issued_by: None,
        action: "retry_task".to_owned(),
        target_type: "task".to_owned(),
        target_id: "t".to_owned(),
        payload: "{}".to_owned(),
        idempotency: None,
        issued_at: at_s(0),
        timeout_at: at_s(60),
        claim_for: None,
        audit: audit(id),
    }
}

#[tokio::test]
async fn a_write_that_fails_costs_its_neighbours_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    create_project(&store).await;
    for round in 0..20 {
        // No such agent: the foreign key refuses it, within the same group as the batches around it.
        let (first, refused, second) = tokio::join!(
            store.ingest(batch(round * 2, 3, 10)),
            store.issue_command(command(100 + u128::from(round))),
            store.ingest(batch(round * 2 + 1, 3, 10)),
        );
        assert_eq!(
            refused.expect_err("refused").kind(),
            StoreErrorKind::Internal
        );
        assert_eq!(
            first.unwrap().outcomes.len() + second.unwrap().outcomes.len(),
            6
        );
    }
    assert_eq!(counted(&store).await, 40);
}

#[tokio::test]
async fn the_quarantine_keeps_the_latest_frames_up_to_its_limit() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    create_project(&store).await;
    let limit = u128::from(QUARANTINE_ROWS_MAX);
    let frame = |id| PoisonFrame {
        id: EventId::from_u128(id),
        project_id: PROJECT,
        agent_id: AGENT,
        reason: "malformed_event",
        detail: "it has no kind".to_owned(),
        excerpt: Redacted::vouch(bytes::Bytes::from_static(b"{}")),
    };
    let frames = (0..limit + 50).map(frame).collect();
    let _ = store
        .ingest(IngestBatch::new(at_s(0), Vec::new()).with_poison(frames))
        .await
        .unwrap();
    let db = Connection::open(store.path()).unwrap();
    let (rows, first): (u32, Vec<u8>) = db
        .query_row(
            "SELECT count(*), (SELECT id FROM quarantine ORDER BY key LIMIT 1) FROM quarantine",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(rows, QUARANTINE_ROWS_MAX);
    assert_eq!(EventId::from_slice(&first), Some(EventId::from_u128(50)));
}

#[tokio::test]
async fn audit_entries_can_be_neither_changed_nor_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    create_project(&store).await;
    let db = Connection::open(store.path()).unwrap();
    for sql in [
        "UPDATE audit_entries SET action = 'x'",
        "DELETE FROM audit_entries",
    ] {
        let refused = db.execute(sql, []).expect_err("a trigger refuses it");
        assert!(refused.to_string().contains("never"), "{refused}");
    }
}

#[tokio::test]
async fn a_session_of_a_disabled_person_is_absent() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    let user = CreateUser {
        id: UserId::from_u128(5),
        email: "ann@example.org".to_owned(),
        display_name: "ann".to_owned(),
        password_hash: PasswordHash::new("x".to_owned()),
        is_admin: false,
        membership: None,
        at: at_s(0),
        audit: audit(10),
    };
    let _ = store.create_user(user).await.unwrap();
    let session = NewSession {
        id: UserSessionId::from_u128(6),
        token_hash: [9; 32],
        user_id: UserId::from_u128(5),
        password_hash: PasswordHash::new("x".to_owned()),
        created_at: at_s(0),
        idle_until: at_s(100),
        expires_at: at_s(100),
        remember: false,
        origin: None,
        user_agent: None,
        audit: audit(11),
    };
    assert!(store.create_session(session.clone()).await.unwrap());
    assert!(store.session(&[9; 32], at_s(1)).await.unwrap().is_some());
    let db = Connection::open(store.path()).unwrap();
    db.execute("UPDATE users SET is_active = 0", []).unwrap();
    assert!(store.session(&[9; 32], at_s(1)).await.unwrap().is_none());
    let late = NewSession {
        id: UserSessionId::from_u128(7),
        token_hash: [8; 32],
        audit: audit(12),
        ..session
    };
    assert!(!store.create_session(late).await.unwrap());
}

#[tokio::test]
async fn the_writer_ends_when_the_last_handle_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    let mut hints = store.wakeups(Topic::Commands);
    create_project(&store).await;
    drop(store);
    // The threads hold the only senders left; their end ends the stream.
    let ended = std::future::poll_fn(|context| Stream::poll_next(hints.as_mut(), context));
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), ended).await;
    assert!(ended.expect("the threads end").is_none());
}
