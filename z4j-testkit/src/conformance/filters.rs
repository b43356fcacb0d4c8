//! Filters of task lists, each alone and all together.

use std::sync::Arc;

use z4j_core::store::{Store, TaskFilter, TaskSort, TaskSummary};
use z4j_core::task::TaskState;

use super::lists::crowd;
use super::scene::{Scene, at_ms, at_s};

/// The tasks that a filter should find, told by looking at all of them.
async fn check_filter(
    scene: &Scene<'_>,
    filter: TaskFilter,
    matches: impl Fn(&TaskSummary) -> bool,
) {
    for sort in TaskSort::ALL {
        let mut expected = scene.list(&TaskFilter::default(), sort, 500).await;
        expected.retain(&matches);
        assert!(
            !expected.is_empty(),
            "the filter must find something: {filter:?}"
        );
        for limit in [2, 500] {
            assert_eq!(
                scene.list(&filter, sort, limit).await,
                expected,
                "{filter:?} {sort:?} in pages of {limit}"
            );
        }
    }
}

pub(super) async fn states_filter_takes_any_of_them(store: &dyn Store) {
    let scene = Scene::set(store).await;
    crowd(&scene).await;
    let of = |states: &[TaskState]| TaskFilter {
        states: states.to_vec(),
        ..TaskFilter::default()
    };
    check_filter(&scene, of(&[TaskState::Failure]), |task| {
        task.state == TaskState::Failure
    })
    .await;
    let two = [TaskState::Started, TaskState::Failure];
    check_filter(&scene, of(&[two[0], two[1], two[0]]), |task| {
        two.contains(&task.state)
    })
    .await;
    assert!(scene.ids(&of(&[TaskState::Revoked])).await.is_empty());
}

pub(super) async fn exact_filters_are_exact(store: &dyn Store) {
    let scene = Scene::set(store).await;
    crowd(&scene).await;
    let none = TaskFilter::default();
    let some = |text: &str| Some(text.to_owned());
    check_filter(
        &scene,
        TaskFilter {
            name: some("app.n1"),
            ..none.clone()
        },
        |task| task.name == some("app.n1"),
    )
    .await;
    check_filter(
        &scene,
        TaskFilter {
            queue: some("q1"),
            ..none.clone()
        },
        |task| task.queue == some("q1"),
    )
    .await;
    check_filter(
        &scene,
        TaskFilter {
            worker: some("w1"),
            ..none.clone()
        },
        |task| task.worker == some("w1"),
    )
    .await;
    check_filter(
        &scene,
        TaskFilter {
            engine: some("rq"),
            ..none.clone()
        },
        |task| task.key.engine == "rq",
    )
    .await;
    for absent in ["app", "app.n", "APP.N1", "app.n%"] {
        assert!(
            scene
                .ids(&TaskFilter {
                    name: some(absent),
                    ..none.clone()
                })
                .await
                .is_empty()
        );
    }
}

pub(super) async fn window_takes_its_start_and_leaves_its_end(store: &dyn Store) {
    let scene = Scene::set(store).await;
    crowd(&scene).await;
    let filter = TaskFilter {
        since: Some(at_s(15)),
        until: Some(at_s(35)),
        ..TaskFilter::default()
    };
    check_filter(&scene, filter, |task| {
        task.state_at >= at_s(15) && task.state_at < at_s(35)
    })
    .await;
    let empty = TaskFilter {
        since: Some(at_s(15)),
        until: Some(at_s(15)),
        ..TaskFilter::default()
    };
    assert!(scene.ids(&empty).await.is_empty());
}

fn search(text: &str) -> TaskFilter {
    TaskFilter {
        search: Some(text.to_owned()),
        ..TaskFilter::default()
    }
}

pub(super) async fn search_ignores_ascii_case(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let named = |id: &str, name: &str, at| scene.event("task.received", id, at_ms(at)).name(name);
    let _ = scene
        .ingest([
            named("abc-1", "Shop.Pay", 1),
            named("xyz-2", "shop.mail", 2),
            named("ABCD", "x", 3),
        ])
        .await;
    assert_eq!(scene.ids(&search("SHOP")).await, ["abc-1", "xyz-2"]);
    assert_eq!(scene.ids(&search("bc")).await, ["abc-1", "ABCD"]);
    assert_eq!(scene.ids(&search("p.m")).await, ["xyz-2"]);
    assert!(scene.ids(&search("nothing")).await.is_empty());
}

pub(super) async fn search_takes_arguments_and_not_results(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let result = scene
        .event("task.succeeded", "t1", at_s(2))
        .args(r#"["Needle"]"#)
        .facts(|facts| {
            facts.result = Some(Arc::from(r#""haystack""#));
            facts.kwargs = Some(Arc::from(r#"{"order":"Üx-77"}"#));
        });
    let _ = scene
        .ingest([result, scene.event("task.received", "t2", at_s(3))])
        .await;
    assert_eq!(scene.ids(&search("needle")).await, ["t1"]);
    assert_eq!(scene.ids(&search("Üx-77")).await, ["t1"]);
    assert!(scene.ids(&search("haystack")).await.is_empty());
}

pub(super) async fn search_takes_metacharacters_as_letters(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let ids = ["a%b", "a_b", "a\\b", "axb", "a'b", "a*b"];
    let sent = |(index, id): (i64, &&str)| scene.event("task.received", id, at_ms(index));
    let _ = scene.ingest((0..).zip(ids.iter()).map(sent)).await;
    for id in ids {
        assert_eq!(scene.ids(&search(id)).await, [id]);
    }
    assert_eq!(scene.ids(&search("%")).await, ["a%b"]);
    assert_eq!(scene.ids(&search("_")).await, ["a_b"]);
    assert_eq!(scene.ids(&search("\\")).await, ["a\\b"]);
    assert_eq!(
        scene.ids(&search("")).await.len(),
        ids.len(),
        "an empty text is in every text"
    );
}

pub(super) async fn filters_combine_in_pages(store: &dyn Store) {
    let scene = Scene::set(store).await;
    crowd(&scene).await;
    let filter = TaskFilter {
        states: vec![TaskState::Success, TaskState::Failure],
        name: Some("app.n1".to_owned()),
        queue: Some("q1".to_owned()),
        worker: Some("w1".to_owned()),
        engine: Some("celery".to_owned()),
        search: Some("T".to_owned()),
        since: Some(at_s(0)),
        until: Some(at_s(1_000)),
    };
    let matches = |task: &TaskSummary| {
        task.finished_at.is_some()
            && task.name.as_deref() == Some("app.n1")
            && task.queue.as_deref() == Some("q1")
            && task.key.engine == "celery"
    };
    check_filter(&scene, filter, matches).await;
}
