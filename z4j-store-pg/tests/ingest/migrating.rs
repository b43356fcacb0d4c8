//! A migration that makes indexes anew while events come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::AssertSqlSafe;
use z4j_core::store::EventStore;

use crate::support::{self, Desk};

const MIGRATION: &str = include_str!("../../migrations/0008_equal_runs_by_change.sql");

/// Longer than the server waits until it looks for a deadlock (`deadlock_timeout`, 1 s): whoever looks then is rolled back, and should
/// be neither of the two.
const BUILD: &str = "SELECT pg_sleep(2); DROP INDEX";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_are_made_anew_while_events_come() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let events = support::history(desk.project, 500, 10);
    let (first, then) = events.split_at(20);
    // Whoever connects later waits before it holds anything.
    let receipt = store.ingest(support::batch(first)).await.unwrap();
    assert_eq!(support::inserted(&receipt), first.len());
    let is_over = Arc::new(AtomicBool::new(false));
    let ingest = tokio::spawn({
        let (is_over, then) = (Arc::clone(&is_over), then.to_vec());
        async move {
            let (mut inserted, mut sent) = (0, 0);
            for events in then.chunks(20) {
                let receipt = store.ingest(support::batch(events)).await.unwrap();
                inserted += support::inserted(&receipt);
                sent += events.len();
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
            (inserted, sent)
        }
    });
    let mut conn = desk.database.connect().await;
    let slow = MIGRATION.replacen("DROP INDEX", BUILD, 1);
    let migrated = sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {slow}; COMMIT")))
        .execute(&mut conn)
        .await;
    is_over.store(true, Ordering::SeqCst);
    migrated.expect("nobody keeps the old indexes from going");
    let (inserted, sent) = ingest.await.unwrap();
    assert!(sent < then.len(), "events came until it was over");
    assert_eq!(inserted, sent);
    let stored = usize::try_from(desk.count("SELECT count(*) FROM events").await);
    assert_eq!(stored.unwrap(), first.len() + sent);
}
