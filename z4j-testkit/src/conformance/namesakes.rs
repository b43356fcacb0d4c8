//! Tasks of two engines may have one id, and events may come late: neither changes what is none of theirs.

use z4j_core::command::CommandInput;
use z4j_core::id::TaskKey;
use z4j_core::store::{EventRow, PageRequest, RetryLink, Store};
use z4j_core::task::TaskState;

use super::scene::{Scene, advance, at_s, inserted, key};

async fn timeline(scene: &Scene<'_>, task: &TaskKey) -> Vec<EventRow> {
    let page = scene
        .store
        .task_events(scene.project, task, PageRequest::first(50));
    page.await.expect("events").items
}

fn namesake() -> TaskKey {
    TaskKey::new("rq", "t1")
}

pub(super) async fn update_leaves_the_namesake_of_another_engine_alone(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let sent = |kind, at| scene.event(kind, "t1", at_s(at));
    let _ = scene
        .ingest([
            sent("task.received", 1),
            sent("task.received", 1).engine("rq"),
        ])
        .await;
    let _ = scene.ingest([sent("task.succeeded", 5)]).await;
    let other = store
        .task(scene.project, &namesake())
        .await
        .expect("reading")
        .expect("the task");
    assert_eq!(
        (other.summary.state, other.record.state()),
        (TaskState::Received, TaskState::Received)
    );
    let own = scene.task("t1").await.expect("the task");
    assert_eq!(
        (own.summary.state, own.record.state()),
        (TaskState::Success, TaskState::Success)
    );
}

pub(super) async fn timeline_leaves_out_the_namesake_of_another_engine(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let sent = |kind, at| scene.event(kind, "t1", at_s(at));
    let batch = [
        sent("task.received", 1),
        sent("task.started", 2).engine("rq"),
        sent("task.succeeded", 3),
    ];
    assert_eq!(inserted(&scene.ingest(batch).await), 3);
    let kinds = |events: Vec<EventRow>| -> Vec<String> {
        events.iter().map(|event| event.kind.to_string()).collect()
    };
    assert_eq!(
        kinds(timeline(&scene, &key("t1")).await),
        ["task.received", "task.succeeded"]
    );
    assert_eq!(kinds(timeline(&scene, &namesake()).await), ["task.started"]);
}

pub(super) async fn timeline_holds_what_came_late_from_before(store: &dyn Store) {
    let scene = Scene::set(store).await;
    const DAY_S: i64 = 86_400;
    for at in [0, -3 * DAY_S, 2 * DAY_S, -1] {
        let event = scene.event("custom.progress", "t1", at_s(at));
        assert_eq!(inserted(&scene.ingest([event]).await), 1);
    }
    let times: Vec<_> = timeline(&scene, &key("t1"))
        .await
        .iter()
        .map(|event| event.occurred_at)
        .collect();
    assert_eq!(times, [-3 * DAY_S, -1, 0, 2 * DAY_S].map(at_s));
}

pub(super) async fn late_event_does_not_set_a_queue_back(store: &dyn Store) {
    let scene = Scene::set(store).await;
    for (id, at) in [("t1", 500), ("t2", 20)] {
        let _ = scene
            .ingest([scene.event("task.received", id, at_s(at)).queue("q1")])
            .await;
    }
    let other = z4j_core::store::QueueSighting {
        project_id: scene.project,
        engine: "celery".to_owned(),
        name: "q2".to_owned(),
        depth: Some(3),
        at: at_s(700),
    };
    let reports = z4j_core::store::ReportBatch {
        queues: vec![other],
        ..Default::default()
    };
    store.record_reports(reports).await.expect("reporting");
    let _ = scene
        .ingest([scene.event("task.received", "t3", at_s(30)).queue("q2")])
        .await;
    let queues = store.queues(scene.project).await.expect("queues");
    let seen: Vec<_> = queues
        .iter()
        .map(|queue| (queue.name.as_str(), queue.last_seen_at))
        .collect();
    assert_eq!(seen, [("q1", at_s(500)), ("q2", at_s(700))]);
}

pub(super) async fn retry_is_not_shown_on_a_namesake_of_another_engine(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let command = scene.command(at_s(1));
    let id = command.id;
    let _ = store.issue_command(command).await.expect("issuing");
    let link = scene.open_link().await;
    let claimed = store
        .claim_commands(scene.claim(link, at_s(2)))
        .await
        .expect("claiming");
    assert_eq!(claimed.len(), 1);
    let mut done = advance(id, scene.agent, CommandInput::Succeeded, at_s(3));
    done.retry_link = Some(RetryLink {
        original: key("t0"),
        retry_task_id: "t1".to_owned(),
    });
    let _ = store.advance_command(done).await.expect("advancing");
    let sent = scene.event("task.received", "t1", at_s(4));
    let receipt = scene.ingest([sent.clone(), sent.engine("rq")]).await;
    let told: Vec<_> = receipt
        .changes
        .iter()
        .map(|change| {
            (
                change.task.key.engine.as_str(),
                change.task.retry_of.as_deref(),
            )
        })
        .collect();
    assert_eq!(told, [("celery", Some("t0")), ("rq", None)]);
    let other = store
        .task(scene.project, &namesake())
        .await
        .expect("reading")
        .expect("the task");
    assert_eq!(other.summary.retry_of, None);
}
