//! Taking batches in, where PostgreSQL has difficulties of its own: writers that cross, rows that only the database
//! refuses, connections that go, days that have no partition; and what is found of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

mod conflicts;
mod days;
mod lists;
mod migrating;
mod search;
mod support;

use futures_util::future::join_all;
use sqlx::Row;
use support::{Desk, at_s, event, not_about_a_task};
use z4j_core::store::{
    EventOutcome, EventStore, IngestEvent, PageRequest, StoreErrorKind, TaskQueries,
};
use z4j_core::time::Timestamp;
use z4j_testkit::mem::MemStore;
use z4j_testkit::postgres::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crossed_writers_on_two_stores_end_in_the_records_and_counters_of_the_model() {
    let desk = Desk::fresh().await;
    let (left, right) = (desk.store().await, desk.store().await);
    // Every event comes to both stores, in opposite order; a third of them in other batches too.
    let events = support::history(desk.project, 1_000, 10);
    assert_eq!(events.len(), 10_000);
    let mut forward: Vec<_> = events.chunks(250).map(support::batch).collect();
    let turned: Vec<IngestEvent> = events.iter().rev().cloned().collect();
    let backward: Vec<_> = turned.chunks(190).map(support::batch).collect();
    // Halves of what nobody else sends: new facts about the same tasks at the same time.
    let own = support::progress(desk.project, 1_000);
    let (own_left, own_right): (Vec<_>, Vec<_>) = own
        .iter()
        .cloned()
        .partition(|event| event.sent_at.as_micros() % 2 == 0);
    let turned: Vec<IngestEvent> = own_right.iter().rev().cloned().collect();
    let mut last: Vec<_> = turned.chunks(110).map(support::batch).collect();
    forward.extend(own_left.chunks(130).map(support::batch));
    last.extend(backward);
    let (one, two) = tokio::join!(support::send(&left, forward), support::send(&right, last));
    assert_eq!(
        one + two,
        events.len() + own.len(),
        "each event is inserted once"
    );

    let model = MemStore::new();
    support::create_project(&model, desk.project).await;
    for batch in events
        .chunks(500)
        .chain(own.chunks(500))
        .map(support::batch)
    {
        let _ = model.ingest(batch).await.unwrap();
    }
    support::assert_equal(&left, &model, desk.project, 1_000).await;
    assert_eq!(desk.count("SELECT count(*) FROM events").await, 11_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_made_by_several_writers_at_once_are_merged_by_all_of_them() {
    let desk = Desk::fresh().await;
    let stores = [desk.store().await, desk.store().await];
    let kinds = [
        "task.sent",
        "task.received",
        "task.started",
        "task.succeeded",
    ];
    for round in 0..10 {
        let batches = kinds.iter().enumerate().map(|(index, kind)| {
            let mut events: Vec<_> = (0..150)
                .map(|task| {
                    event(
                        desk.project,
                        kind,
                        &format!("r{round}-t{task}"),
                        at_s(index as i64),
                    )
                })
                .collect();
            if index % 2 == 0 {
                events.reverse();
            }
            stores[index % 2].ingest(support::batch(&events))
        });
        for receipt in join_all(batches).await {
            assert_eq!(support::inserted(&receipt.unwrap()), 150);
        }
    }
    let counts = stores[0].state_counts(desk.project).await.unwrap();
    let succeeded: Vec<_> = counts
        .iter()
        .map(|count| (count.state.as_str(), count.count))
        .collect();
    assert_eq!(succeeded, [("success", 1_500)]);
}

#[tokio::test]
async fn event_that_only_the_database_refuses_costs_itself_alone() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let mut events: Vec<_> = (0..40)
        .map(|task| {
            event(
                desk.project,
                "task.received",
                &format!("t{task}"),
                at_s(task),
            )
        })
        .collect();
    // Too long for an index, and nothing that compression could help.
    let noise: String = support::noise(20_000);
    for place in [7, 23] {
        support::facts(&mut events[place]).name = Some(noise.as_str().into());
    }
    let receipt = store.ingest(support::batch(&events)).await.unwrap();
    let refused: Vec<_> = receipt
        .outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| **outcome != EventOutcome::Inserted)
        .collect();
    let poison = EventOutcome::Poison("refused_by_database");
    assert_eq!(refused, [(7, &poison), (23, &poison)]);
    assert_eq!(desk.count("SELECT count(*) FROM tasks").await, 38);
    assert_eq!(desk.count("SELECT count(*) FROM quarantine").await, 2);
    let again = store.ingest(support::batch(&events)).await.unwrap();
    assert_eq!(support::inserted(&again), 0);
    assert_eq!(desk.count("SELECT count(*) FROM quarantine").await, 2);
}

#[tokio::test]
async fn text_with_nul_is_kept() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let mut sent = event(desk.project, "task.received", "t\0\u{FDD0}1", at_s(1));
    support::facts(&mut sent).name = Some("a\0b".into());
    let receipt = store.ingest(support::batch(&[sent.clone()])).await.unwrap();
    assert_eq!(receipt.outcomes, [EventOutcome::Inserted]);
    let key = support::key(&sent);
    let task = store.task(desk.project, &key).await.unwrap().unwrap();
    assert_eq!(task.summary.name.as_deref(), Some("a\0b"));
    assert_eq!(receipt.changes[0].task, task.summary);
    let events = store
        .task_events(desk.project, &key, PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(events.items.len(), 1);
}

#[tokio::test]
async fn statements_that_a_connection_cannot_run_any_more_make_no_event_poison() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let of = |kind, seconds| support::batch(&[event(desk.project, kind, "t1", at_s(seconds))]);
    assert_eq!(
        support::inserted(&store.ingest(of("task.sent", 0)).await.unwrap()),
        1
    );
    // Whoever prepared a statement that answers this column is told that its plan has changed, once for each connection.
    desk.run("ALTER TABLE tasks ALTER COLUMN engine TYPE varchar COLLATE \"C\"")
        .await;
    let mut faults = 0;
    let receipt = loop {
        match store.ingest(of("task.started", 1)).await {
            Ok(receipt) => break receipt,
            Err(fault) => assert_eq!(fault.kind(), StoreErrorKind::Unavailable, "{fault:?}"),
        }
        faults += 1;
        assert!(faults < 5, "connections that cannot be used are replaced");
    };
    assert!(faults > 0, "the plan had changed");
    assert_eq!(support::inserted(&receipt), 1);
}

#[tokio::test]
async fn event_about_no_task_stands_in_no_timeline() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let _ = store
        .ingest(support::batch(&[
            event(desk.project, "task.sent", "w1", at_s(1)),
            not_about_a_task(desk.project, "w1", at_s(1)),
        ]))
        .await
        .unwrap();
    let sent = event(desk.project, "task.sent", "w1", at_s(1));
    let events = store
        .task_events(desk.project, &support::key(&sent), PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(events.items.len(), 1);
}

#[tokio::test]
async fn connection_that_is_gone_is_made_anew() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let send = |index: i64| {
        let events = [event(desk.project, "task.sent", "t1", at_s(index))];
        store.ingest(support::batch(&events))
    };
    assert_eq!(support::inserted(&send(0).await.unwrap()), 1);
    desk.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").await;
    let mut tries = 0;
    let receipt = loop {
        match send(1).await {
            Ok(receipt) => break receipt,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable),
        }
        tries += 1;
        assert!(tries < 3, "at most one call meets each dead connection");
    };
    assert_eq!(support::inserted(&receipt), 1);
}

#[tokio::test]
async fn call_that_is_given_up_leaves_nothing_behind() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let events = [event(desk.project, "task.sent", "t1", at_s(1))];
    let _ = store.ingest(support::batch(&events)).await.unwrap();
    let mut holder = desk.database.connect().await;
    sqlx::raw_sql("BEGIN; SELECT 1 FROM tasks FOR UPDATE")
        .execute(&mut holder)
        .await
        .unwrap();
    let next = [event(desk.project, "task.received", "t1", at_s(2))];
    let waiting = store.ingest(support::batch(&next));
    let gave_up = tokio::time::timeout(std::time::Duration::from_millis(100), waiting).await;
    assert!(gave_up.is_err(), "the row is locked");
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut holder)
        .await
        .unwrap();
    let receipt = store.ingest(support::batch(&next)).await.unwrap();
    assert!(
        support::inserted(&receipt) <= 1,
        "the given-up call may have been done"
    );
    let key = support::key(&next[0]);
    let events = store
        .task_events(desk.project, &key, PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(events.items.len(), 2);
    assert_eq!(store.state_counts(desk.project).await.unwrap()[0].count, 1);
}

#[tokio::test]
async fn commit_whose_answer_is_lost_is_an_error_and_the_next_call_finds_it() {
    let mut cluster = Cluster::durable().await;
    let desk = Desk::on(cluster.database().await).await;
    let store = desk.store().await;
    let events: Vec<_> = (0..50)
        .map(|index| event(desk.project, "task.sent", &format!("t{index}"), at_s(index)))
        .collect();
    let _ = store.ingest(support::batch(&events[..1])).await.unwrap();
    cluster.crash();
    let error = store.ingest(support::batch(&events)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    cluster.start().await;
    let receipt = store.ingest(support::batch(&events)).await.unwrap();
    assert_eq!(
        support::inserted(&receipt),
        49,
        "what was acknowledged is there"
    );
}

#[tokio::test]
async fn unnamed_statements_do_behind_pgbouncer() {
    let desk = Desk::fresh().await;
    let bouncer = z4j_testkit::postgres::Bouncer::start(&desk.database, 2).await;
    let config = bouncer.config(&desk.database);
    let store = z4j_store_pg::PgStore::open(config).await.unwrap();
    let events = support::history(desk.project, 50, 6);
    for _ in 0..2 {
        let calls = events
            .chunks(60)
            .map(|events| store.ingest(support::batch(events)));
        for receipt in join_all(calls).await {
            let _ = receipt.unwrap();
        }
    }
    let model = MemStore::new();
    support::create_project(&model, desk.project).await;
    let _ = model.ingest(support::batch(&events)).await.unwrap();
    support::assert_equal(&store, &model, desk.project, 50).await;
}

#[tokio::test]
async fn sightings_of_a_busy_worker_are_written_now_and_then() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let mut seen = Vec::new();
    for index in 0..30 {
        let at = Timestamp::from_micros(at_s(0).as_micros() + index * 100_000);
        let mut sent = event(desk.project, "task.started", &format!("t{index}"), at);
        sent.worker = Some("w1".into());
        let _ = store.ingest(support::batch(&[sent])).await.unwrap();
        let mut conn = desk.database.connect().await;
        let row = sqlx::query("SELECT last_seen_at FROM workers")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        seen.push(row.get::<i64, _>(0));
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
}
