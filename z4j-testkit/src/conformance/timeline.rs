//! The events of one task, as they were and in their order.

use z4j_core::store::{PageRequest, Store};
use z4j_core::time::Timestamp;

use super::scene::{Scene, all_pages, at_s, inserted, key};

pub(super) async fn timeline_is_in_the_order_of_an_attempt(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let kinds = [
        "task.succeeded",
        "task.started",
        "task.sent",
        "task.received",
        "task.retried",
    ];
    let mut events: Vec<_> = kinds
        .iter()
        .map(|kind| scene.event(kind, "t1", at_s(5)))
        .collect();
    events.push(scene.event("task.started", "t1", at_s(6)));
    events.push(scene.event("task.started", "t1", at_s(4)));
    events.push(scene.event("task.started", "t2", at_s(4)));
    let _ = scene.ingest(events).await;
    let page = store
        .task_events(scene.project, &key("t1"), PageRequest::first(100))
        .await
        .expect("events");
    let found: Vec<_> = page
        .items
        .iter()
        .map(|event| (event.occurred_at, event.kind.as_str()))
        .collect();
    let expected = [
        (at_s(4), "task.started"),
        (at_s(5), "task.sent"),
        (at_s(5), "task.received"),
        (at_s(5), "task.started"),
        (at_s(5), "task.retried"),
        (at_s(5), "task.succeeded"),
        (at_s(6), "task.started"),
    ];
    assert_eq!(found, expected);
}

pub(super) async fn timeline_pages_are_complete(store: &dyn Store) {
    let scene = Scene::set(store).await;
    // Kinds that nobody knows have one rank, so that several rows tie in all but their identity.
    let sent = |index: i64| scene.event(&format!("custom.{index}"), "t1", at_s(index / 4));
    let _ = scene.ingest((0..30).map(sent)).await;
    let task = key("t1");
    for limit in [1, 7, 30, 31] {
        let events = all_pages(limit, |page| store.task_events(scene.project, &task, page)).await;
        assert!(events.is_sorted_by_key(|event| event.occurred_at));
        let mut kinds: Vec<_> = events.iter().map(|event| event.kind.to_string()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!((events.len(), kinds.len()), (30, 30), "pages of {limit}");
    }
}

pub(super) async fn timeline_of_an_unknown_task_is_empty(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let page = store
        .task_events(scene.project, &key("t1"), PageRequest::first(10))
        .await
        .expect("events");
    assert!(page.items.is_empty() && page.next.is_none());
}

pub(super) async fn event_data_comes_back_byte_for_byte(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(200_000));
    let texts = [
        "{\"a\" : 1.0e5,\n \"b\":\"\\u0000\"}",
        "{\"nul\":\"\0\"}",
        "{\"ключ\":\"😀\"}",
        long.as_str(),
    ];
    for (index, text) in (0..).zip(texts) {
        let mut event = scene
            .event("task.received", "t1", at_s(index))
            .data(text.as_bytes())
            .worker("w\u{202e}1");
        event.0.sent_at = at_s(-1);
        assert_eq!(inserted(&scene.ingest([event]).await), 1);
    }
    let page = store
        .task_events(scene.project, &key("t1"), PageRequest::first(10))
        .await
        .expect("events");
    let data: Vec<_> = page.items.iter().map(|event| event.data.as_str()).collect();
    assert_eq!(data, texts);
    let event = page.items.first().expect("an event");
    assert_eq!(
        (event.worker.as_deref(), event.received_at, event.agent_id),
        (Some("w\u{202e}1"), at_s(1), scene.agent)
    );
}

pub(super) async fn first_reporter_stays_on_the_event(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let event = scene.event("task.received", "t1", at_s(1));
    let _ = scene
        .ingest([event.clone().of_agent(scene.second_agent)])
        .await;
    let _ = scene.ingest([event]).await;
    let page = store
        .task_events(scene.project, &key("t1"), PageRequest::first(10))
        .await
        .expect("events");
    let [event] = page.items.as_slice() else {
        panic!("one event")
    };
    assert_eq!(event.agent_id, scene.second_agent);
}

pub(super) async fn events_within_a_second_are_told_apart(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let micros = |offset: i64| Timestamp::from_micros(at_s(1).as_micros() + offset);
    let starts = [0, 1, 2, 999_999].map(|offset| scene.event("task.started", "t1", micros(offset)));
    let [first, rest @ ..] = starts;
    assert_eq!(inserted(&scene.ingest([first]).await), 1);
    assert_eq!(inserted(&scene.ingest(rest).await), 3);
    let page = store
        .task_events(scene.project, &key("t1"), PageRequest::first(10))
        .await
        .expect("events");
    let times: Vec<_> = page.items.iter().map(|event| event.occurred_at).collect();
    assert_eq!(
        times,
        [0, 1, 2, 999_999].map(micros),
        "times are kept to the microsecond"
    );
    assert_eq!(
        scene.task("t1").await.expect("the task").summary.state_at,
        micros(999_999)
    );
}
