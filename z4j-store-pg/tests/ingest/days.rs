//! Days that have no partition.

use std::time::Duration;

use futures_util::future::join_all;

use z4j_core::id::ReplicaId;
use z4j_core::store::{
    Coordination, EventOutcome, EventStore, IngestBatch, LeaseGrant, LeaseOutcome, LeaseRequest,
    PageRequest, ReplicaBeat,
};
use z4j_core::time::Timestamp;
use z4j_store_pg::PgStore;

use crate::support::{self, Desk, at_s, event};

const DAY_S: i64 = 86_400;

#[tokio::test]
async fn events_of_days_without_a_partition_are_kept_moved_and_reported() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let far = event(desk.project, "task.started", "t1", at_s(40 * DAY_S));
    let mut early = support::batch(&[event(desk.project, "task.sent", "t1", at_s(0)), far.clone()]);
    early.received_at = at_s(10);
    assert_eq!(support::inserted(&store.ingest(early).await.unwrap()), 2);
    assert_eq!(desk.count("SELECT count(*) FROM events_default").await, 1);
    // Forty days later the day of the stray has come.
    let receipt = store
        .ingest(IngestBatch::new(
            at_s(40 * DAY_S + 5),
            vec![
                event(desk.project, "task.succeeded", "t1", at_s(40 * DAY_S + 1)),
                far.clone(),
            ],
        ))
        .await
        .unwrap();
    assert_eq!(
        receipt.outcomes,
        [EventOutcome::Inserted, EventOutcome::Duplicate]
    );
    assert_eq!(desk.count("SELECT count(*) FROM events_default").await, 0);
    let key = support::key(&far);
    let events = store
        .task_events(desk.project, &key, PageRequest::first(10))
        .await
        .unwrap();
    let kinds: Vec<_> = events
        .items
        .iter()
        .map(|event| event.kind.to_string())
        .collect();
    assert_eq!(kinds, ["task.sent", "task.started", "task.succeeded"]);
}

#[tokio::test]
async fn days_whose_partition_cannot_be_made_now_hold_nobody_up() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let days = 2..12;
    let old = |day: i64| {
        let task = format!("t{day}");
        event(desk.project, "task.sent", &task, at_s(-day * DAY_S))
    };
    let events: Vec<_> = days.clone().map(old).collect();
    let mut batch = support::batch(&events);
    batch.received_at = at_s(10);
    // As a backup does for hours.
    desk.run("BEGIN; LOCK TABLE events_default, task_texts_default IN ACCESS SHARE MODE")
        .await;
    let receipt = store.ingest(batch).await.unwrap();
    assert_eq!(support::inserted(&receipt), days.count());
    desk.run("COMMIT").await;
    assert_eq!(desk.count("SELECT count(*) FROM events_default").await, 10);
}

#[tokio::test]
async fn stores_that_make_the_same_days_at_once_all_go_on() {
    let desk = Desk::fresh().await;
    let stores = join_all((0..4).map(|_| desk.store())).await;
    let sent: Vec<_> = (0..4)
        .map(|index| {
            vec![event(
                desk.project,
                "task.sent",
                &format!("t{index}"),
                at_s(index * DAY_S),
            )]
        })
        .collect();
    let writes = stores.iter().zip(&sent).map(|(store, events)| {
        let mut batch = support::batch(events);
        batch.received_at = at_s(4 * DAY_S);
        store.ingest(batch)
    });
    for receipt in join_all(writes).await {
        assert_eq!(support::inserted(&receipt.unwrap()), 1);
    }
    assert_eq!(desk.count("SELECT count(*) FROM events_default").await, 0);
}

/// The right to do a brain's upkeep.
async fn upkeep(store: &PgStore, now: Timestamp) -> LeaseGrant {
    let replica = ReplicaId::from_u128(9);
    let beat = ReplicaBeat {
        replica,
        is_first: true,
        announced: 0,
        now,
    };
    let _ = store.beat(beat).await.unwrap();
    let request = LeaseRequest {
        name: "upkeep".to_owned(),
        holder: replica,
        ttl: Duration::from_secs(60),
        now,
    };
    match store.try_lease(request).await.unwrap() {
        LeaseOutcome::Held(grant) => grant,
        LeaseOutcome::Taken { .. } => panic!("nobody else is there"),
    }
}

const DAYS_OF_EVENTS: &str = "SELECT string_agg(substr(c.relname, 8), ' ' ORDER BY c.relname) FROM pg_inherits i \
    JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass AND c.relname <> 'events_default'";
const DAYS_OF_WORDS: &str = "SELECT string_agg(substr(c.relname, 12), ' ' ORDER BY c.relname) FROM pg_inherits i \
    JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'task_texts'::regclass AND c.relname <> 'task_texts_default'";

#[tokio::test]
async fn upkeep_makes_days_ahead_and_says_what_lies_in_the_default_partition() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let grant = upkeep(&store, at_s(0)).await;
    let said = store.maintain(&grant, at_s(0)).await.unwrap();
    assert_eq!(said, [""; 0], "all is well");
    let days = "20261122 20261123 20261124 20261125 20261126";
    assert_eq!(desk.text(DAYS_OF_EVENTS).await, days);
    assert_eq!(desk.text(DAYS_OF_WORDS).await, days);
    // A day later one day more, and nothing twice.
    let said = store.maintain(&grant, at_s(DAY_S)).await.unwrap();
    assert_eq!(said, [""; 0]);
    assert_eq!(desk.text(DAYS_OF_EVENTS).await, format!("{days} 20261127"));
    let clocks_are_wrong = [
        event(desk.project, "task.sent", "t1", at_s(400 * DAY_S)),
        event(desk.project, "task.sent", "t2", at_s(-400 * DAY_S)),
    ];
    let mut batch = support::batch(clocks_are_wrong);
    batch.received_at = at_s(DAY_S);
    assert_eq!(support::inserted(&store.ingest(batch).await.unwrap()), 2);
    let said = store.maintain(&grant, at_s(DAY_S)).await.unwrap();
    let [sentence] = &said[..] else {
        panic!("one sentence: {said:?}");
    };
    assert!(
        sentence.contains("2 events lie in the default partition"),
        "{sentence}"
    );
}

#[tokio::test]
async fn upkeep_says_which_day_cannot_be_made_and_makes_it_the_next_time() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let grant = upkeep(&store, at_s(0)).await;
    // In the way of a day's partition.
    desk.run("CREATE TABLE events_20261125 (id integer)").await;
    let said = store.maintain(&grant, at_s(0)).await.unwrap();
    let [sentence] = &said[..] else {
        panic!("one sentence: {said:?}");
    };
    assert!(
        sentence.contains("rows of events for 2026-11-25") && sentence.contains("already exists"),
        "{sentence}"
    );
    let of_that_day = [event(desk.project, "task.sent", "t1", at_s(2 * DAY_S))];
    let receipt = store.ingest(support::batch(of_that_day)).await.unwrap();
    assert_eq!(support::inserted(&receipt), 1);
    assert_eq!(desk.count("SELECT count(*) FROM events_default").await, 1);
    desk.run("DROP TABLE events_20261125").await;
    let said = store.maintain(&grant, at_s(0)).await.unwrap();
    assert_eq!(said, [""; 0]);
    assert_eq!(
        desk.count("SELECT count(*) FROM events_20261125").await,
        1,
        "the event moved to its day"
    );
}
