//! Days that have no partition.

use futures_util::future::join_all;
use z4j_core::store::{EventOutcome, EventStore, IngestBatch, PageRequest};

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
