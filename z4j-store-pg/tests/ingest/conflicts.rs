//! Batches that lose against others: the server rolls them back, and says with which fault.

use z4j_core::store::{EventStore, StoreErrorKind, TaskQueries};

use crate::support::{self, Desk};

/// Writes of events lose as long as a sequence, which no rollback takes back, has not counted three of them.
const LOSE_THRICE: &str = "CREATE SEQUENCE tries;
    CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('tries') <= 3 THEN RAISE EXCEPTION 'lost' USING ERRCODE = TG_ARGV[0]; END IF;
        RETURN NULL;
    END $$";
const LOSE_ALWAYS: &str = "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'lost' USING ERRCODE = TG_ARGV[0];
    END $$";
const BY_SERIALIZATION: &str =
    "CREATE TRIGGER lose AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION lose('40001')";
const BY_DEADLOCK: &str =
    "CREATE TRIGGER lose AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION lose('40P01')";

async fn wins_in_the_end(fault: &'static str) {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    desk.run(LOSE_THRICE).await;
    desk.run(fault).await;
    let events = support::history(desk.project, 20, 5);
    let receipt = store.ingest(support::batch(&events)).await.unwrap();
    assert_eq!(support::inserted(&receipt), events.len());
    assert_eq!(
        desk.count("SELECT last_value FROM tries").await,
        4,
        "it lost three times and came again"
    );
    let stored = usize::try_from(desk.count("SELECT count(*) FROM events").await);
    assert_eq!(stored.unwrap(), events.len(), "nothing is stored twice");
    let counted: u64 = store
        .state_counts(desk.project)
        .await
        .unwrap()
        .iter()
        .map(|state| state.count)
        .sum();
    assert_eq!(counted, 20, "each task is counted once");
}

#[tokio::test]
async fn a_batch_that_loses_a_serialization_comes_again_by_itself() {
    wins_in_the_end(BY_SERIALIZATION).await;
}

#[tokio::test]
async fn a_batch_that_loses_a_deadlock_comes_again_by_itself() {
    wins_in_the_end(BY_DEADLOCK).await;
}

#[tokio::test]
async fn a_batch_that_always_loses_is_refused_whole_and_may_be_sent_again() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    desk.run(LOSE_ALWAYS).await;
    desk.run(BY_SERIALIZATION).await;
    let events = support::history(desk.project, 20, 5);
    let fault = store
        .ingest(support::batch(&events))
        .await
        .expect_err("it never wins");
    assert_eq!(fault.kind(), StoreErrorKind::Unavailable, "{fault:?}");
    assert_eq!(desk.count("SELECT count(*) FROM events").await, 0);
    assert_eq!(desk.count("SELECT count(*) FROM tasks").await, 0);
    desk.run("DROP TRIGGER lose ON events").await;
    let receipt = store.ingest(support::batch(&events)).await.unwrap();
    assert_eq!(support::inserted(&receipt), events.len());
}
