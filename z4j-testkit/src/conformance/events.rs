//! Events: stored once, in order, and never at the cost of others.

use bytes::Bytes;
use z4j_core::id::{EventId, ProjectId, TaskKey};
use z4j_core::redact::Redacted;
use z4j_core::store::{EventOutcome, IngestBatch, PageRequest, PoisonFrame, Store};
use z4j_core::task::{TaskEvent, TaskState};

use super::scene::{Scene, Sent, at_ms, at_s, batch, fresh_id, identity, ingest, inserted, key};

pub(super) async fn event_sent_again_is_absorbed(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let event = scene.event("task.received", "t1", at_s(1)).name("app.add");
    assert_eq!(
        scene.ingest([event.clone()]).await.outcomes,
        [EventOutcome::Inserted]
    );
    let before = scene.task("t1").await.expect("the task");
    let again = scene.ingest([event]).await;
    assert_eq!(again.outcomes, [EventOutcome::Duplicate]);
    assert!(
        again.changes.is_empty(),
        "what changed nothing is no change"
    );
    let after = scene.task("t1").await.expect("the task");
    assert_eq!(
        (after.summary, after.record),
        (before.summary, before.record)
    );
}

pub(super) async fn same_id_twice_in_a_batch_counts_once(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let event = scene.event("task.started", "t1", at_s(1));
    let receipt = scene.ingest([event.clone(), event]).await;
    assert_eq!(
        receipt.outcomes,
        [EventOutcome::Inserted, EventOutcome::Duplicate]
    );
    let counts = store.state_counts(scene.project).await.expect("counts");
    assert_eq!(
        counts.iter().map(|count| count.count).collect::<Vec<_>>(),
        [1]
    );
}

pub(super) async fn same_event_of_another_agent_is_absorbed(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let event = scene.event("task.succeeded", "t1", at_s(1));
    let copy = event.clone().of_agent(scene.second_agent);
    assert_eq!(inserted(&scene.ingest([event]).await), 1);
    assert_eq!(
        scene.ingest([copy]).await.outcomes,
        [EventOutcome::Duplicate]
    );
}

pub(super) async fn same_id_in_two_projects_is_two_events(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let event = scene.event("task.received", "t1", at_s(1));
    let mut twin = Sent::new(
        scene.other_project,
        scene.other_agent,
        "task.received",
        "t1",
        at_s(1),
    );
    twin.0.id = event.0.id;
    assert_eq!(inserted(&scene.ingest([event, twin]).await), 2);
    for project in [scene.project, scene.other_project] {
        assert!(
            store
                .task(project, &key("t1"))
                .await
                .expect("reading")
                .is_some()
        );
    }
}

pub(super) async fn receipt_names_each_changed_task_once(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = scene
        .ingest([scene.event("task.received", "t1", at_s(1))])
        .await;
    let receipt = scene
        .ingest([
            scene.event("task.started", "t1", at_s(2)),
            scene.event("task.succeeded", "t1", at_s(3)).name("app.add"),
            scene.event("task.received", "t2", at_s(3)),
        ])
        .await;
    let [first, second] = receipt.changes.as_slice() else {
        panic!("two tasks changed: {:?}", receipt.changes)
    };
    assert_eq!(
        (first.project_id, first.task.key.task_id.as_str()),
        (scene.project, "t1")
    );
    let step = first.transition.expect("a step");
    assert_eq!(
        (step.from, step.to, step.at),
        (Some(TaskState::Received), TaskState::Success, at_s(3))
    );
    assert_eq!(second.transition.expect("a step").from, None);
    let stored = scene.task("t1").await.expect("the task").summary;
    assert_eq!(
        first.task, stored,
        "a receipt shows tasks as they are after the batch"
    );
}

pub(super) async fn late_fact_changes_the_task_without_a_step(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = scene
        .ingest([scene.event("task.succeeded", "t1", at_s(3))])
        .await;
    let receipt = scene
        .ingest([scene.event("task.received", "t1", at_s(1)).name("app.add")])
        .await;
    let [change] = receipt.changes.as_slice() else {
        panic!("one task changed")
    };
    assert_eq!(change.transition, None);
    assert_eq!(change.task.name.as_deref(), Some("app.add"));
    assert_eq!(change.task.state, TaskState::Success);
}

pub(super) async fn repeated_batch_leaves_the_same_rows(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let sent = |index: i64| {
        scene
            .event(
                "task.failed",
                &format!("t{}", index % 5),
                at_ms(index * 700),
            )
            .queue("q")
            .worker("w")
    };
    let events: Vec<_> = (0..20).map(sent).collect();
    let _ = scene.ingest(events.clone()).await;
    let before = snapshot(&scene).await;
    let again = scene.ingest(events).await;
    assert_eq!(inserted(&again), 0);
    assert_eq!(snapshot(&scene).await, before);
}

async fn snapshot(scene: &Scene<'_>) -> String {
    let store = scene.store;
    let tasks = scene
        .list(&Default::default(), Default::default(), 100)
        .await;
    let states = store.state_counts(scene.project).await.expect("counts");
    let minutes = store
        .minute_counts(scene.project, at_s(-60), at_s(600))
        .await
        .expect("counts");
    let queues = store.queues(scene.project).await.expect("queues");
    let workers = store.workers(scene.project).await.expect("workers");
    format!("{tasks:?} {states:?} {minutes:?} {queues:?} {workers:?}")
}

pub(super) async fn poison_does_not_fail_its_neighbours(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let good = scene.event("task.received", "t1", at_s(1));
    let not_text = scene
        .event("task.received", "t2", at_s(2))
        .data(b"\xff\xfe");
    let mut no_task = scene.event("task.received", "", at_s(2));
    no_task.0.id = identity(&["no task"]);
    let mut not_about_a_task = scene.event("task.received", "t3", at_s(2));
    not_about_a_task.0.task = Some(TaskEvent::new(
        z4j_core::task::EventKind::WorkerOnline,
        at_s(2),
    ));
    let last = scene.event("task.received", "t4", at_s(3));
    let receipt = scene
        .ingest([good, not_text, no_task, not_about_a_task, last])
        .await;
    let kinds: Vec<_> = receipt
        .outcomes
        .iter()
        .map(|outcome| matches!(outcome, EventOutcome::Poison(_)))
        .collect();
    assert_eq!(
        kinds,
        [false, true, true, true, false],
        "{:?}",
        receipt.outcomes
    );
    assert_eq!(inserted(&receipt), 2);
    assert!(scene.task("t1").await.is_some() && scene.task("t4").await.is_some());
    assert!(scene.task("t2").await.is_none() && scene.task("t3").await.is_none());
}

pub(super) async fn event_of_an_unknown_project_is_poison(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let stray = Sent::new(
        ProjectId::from_u128(fresh_id()),
        scene.agent,
        "task.received",
        "t1",
        at_s(1),
    );
    let good = scene.event("task.received", "t1", at_s(1));
    let receipt = scene.ingest([stray, good]).await;
    assert!(matches!(
        receipt.outcomes.as_slice(),
        [EventOutcome::Poison(_), EventOutcome::Inserted]
    ));
}

pub(super) async fn quarantined_frame_fails_nothing(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let frame = PoisonFrame {
        id: EventId::from_u128(fresh_id()),
        project_id: scene.project,
        agent_id: scene.agent,
        reason: "malformed_event",
        detail: "the event has no kind".to_owned(),
        excerpt: Redacted::vouch(Bytes::from(vec![0xff; 100_000])),
    };
    for round in 0..2 {
        let event = scene.event("task.received", &format!("t{round}"), at_s(1));
        let batch = batch([event]).with_poison(vec![frame.clone(), frame.clone()]);
        assert_eq!(inserted(&store.ingest(batch).await.expect("ingesting")), 1);
    }
}

pub(super) async fn empty_batch_is_stored(store: &dyn Store) {
    let receipt = store
        .ingest(IngestBatch::new(at_s(1), Vec::new()))
        .await
        .expect("ingesting");
    assert!(receipt.outcomes.is_empty() && receipt.changes.is_empty());
}

pub(super) async fn event_about_no_task_makes_no_task(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let mut event = scene.event("worker.heartbeat", "", at_s(1)).worker("w1");
    event.0.task = None;
    let receipt = scene.ingest([event.clone()]).await;
    assert_eq!(receipt.outcomes, [EventOutcome::Inserted]);
    assert!(receipt.changes.is_empty());
    assert_eq!(
        scene.ingest([event]).await.outcomes,
        [EventOutcome::Duplicate]
    );
    assert!(
        store
            .state_counts(scene.project)
            .await
            .expect("counts")
            .is_empty()
    );
}

pub(super) async fn concurrent_batches_of_one_task_all_count(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let retried = |attempt: i64| {
        [
            scene.event("task.started", "t1", at_s(attempt * 10)),
            scene.event("task.retried", "t1", at_s(attempt * 10 + 5)),
        ]
    };
    let writes = (0..12).map(|attempt| ingest(store, retried(attempt)));
    let receipts = futures_util::future::join_all(writes).await;
    assert_eq!(receipts.iter().map(inserted).sum::<usize>(), 24);
    let task = scene.task("t1").await.expect("the task").summary;
    assert_eq!((task.state, task.retry_count), (TaskState::Retry, 12));
}

pub(super) async fn same_task_id_of_two_engines_is_two_tasks(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let celery = scene.event("task.succeeded", "t1", at_s(1));
    let rq = scene.event("task.failed", "t1", at_s(2)).engine("rq");
    assert_eq!(inserted(&scene.ingest([celery, rq]).await), 2);
    let state = |engine| async move {
        let found = store
            .task(scene.project, &TaskKey::new(engine, "t1"))
            .await
            .expect("reading");
        found.map(|task| task.summary.state)
    };
    assert_eq!(
        (state("celery").await, state("rq").await),
        (Some(TaskState::Success), Some(TaskState::Failure))
    );
    let page = store
        .task_events(scene.project, &key("t1"), PageRequest::first(10))
        .await
        .expect("events");
    assert_eq!(page.items.len(), 1);
}

pub(super) async fn ok_means_written(store: &dyn Store) {
    let scene = Scene::set(store).await;
    for round in 0..20 {
        let events: Vec<Sent> = (0..200)
            .map(|number| scene.event("task.received", &format!("t{round}-{number}"), at_s(number)))
            .collect();
        let receipt = scene.ingest(events.clone()).await;
        assert_eq!(inserted(&receipt), events.len());
        let last = scene.task(&format!("t{round}-199")).await;
        assert!(
            last.is_some(),
            "broken promise: `Ok` from ingest means that the batch is written. The store said that it was, and does not have it"
        );
        let again = scene.ingest(events).await;
        assert_eq!(
            inserted(&again),
            0,
            "broken promise: `Ok` from ingest means that the batch is written. The store took the same events a second \
             time for new ones, so it answered before it wrote"
        );
    }
}
