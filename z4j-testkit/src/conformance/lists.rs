//! Lists of tasks: complete, in order, walked by key.

use std::cmp::Ordering;

use z4j_core::id::ProjectId;
use z4j_core::store::{
    Cursor, PageRequest, Store, StoreErrorKind, TaskFilter, TaskSort, TaskSummary,
};
use z4j_core::task::TaskState;

use super::scene::{Scene, at_s, fresh_id};

/// Tasks in all states, with ties in every column, two engines, and rows without a value.
pub(super) async fn crowd(scene: &Scene<'_>) {
    let mut events = Vec::new();
    for index in 0..24_i64 {
        let id = format!("t{index:02}");
        let at = (index / 4) * 10;
        if index % 3 != 0 {
            events.push(
                scene
                    .event("task.received", &id, at_s(at))
                    .queue(&format!("q{}", index % 2)),
            );
        }
        events.push(
            scene
                .event("task.started", &id, at_s(at + 1))
                .name(&format!("app.n{}", index % 3)),
        );
        if index % 4 != 0 {
            let kind = if index % 5 == 0 {
                "task.failed"
            } else {
                "task.succeeded"
            };
            let runtime = u64::try_from(index % 3 * 100).ok();
            events.push(
                scene
                    .event(kind, &id, at_s(at + 5))
                    .worker("w1")
                    .facts(|facts| facts.runtime_ms = runtime),
            );
        }
    }
    for index in 0..3 {
        events.push(
            scene
                .event("task.succeeded", &format!("t{index:02}"), at_s(5))
                .engine("rq"),
        );
    }
    let _ = scene.ingest(events).await;
}

fn value(task: &TaskSummary, sort: TaskSort) -> Option<i64> {
    match sort {
        TaskSort::UpdatedDesc | TaskSort::UpdatedAsc => Some(task.state_at.as_micros()),
        TaskSort::ReceivedDesc => task.received_at.map(|at| at.as_micros()),
        TaskSort::FinishedDesc => task.finished_at.map(|at| at.as_micros()),
        TaskSort::RuntimeDesc => task.runtime_ms.and_then(|ms| i64::try_from(ms).ok()),
    }
}

/// The order that the contract asks for.
fn expected_order(left: &TaskSummary, right: &TaskSummary, sort: TaskSort) -> Ordering {
    let by_key = |ordering: Ordering| {
        if sort == TaskSort::UpdatedAsc {
            ordering
        } else {
            ordering.reverse()
        }
    };
    match (value(left, sort), value(right, sort)) {
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (left_value, right_value) => {
            let tie = |task: &TaskSummary| (sort == TaskSort::RuntimeDesc).then_some(task.state_at);
            let (left_place, right_place) = ((left_value, tie(left)), (right_value, tie(right)));
            by_key((left_place, &left.key).cmp(&(right_place, &right.key)))
        }
    }
}

pub(super) async fn every_sort_pages_completely_in_order(store: &dyn Store) {
    let scene = Scene::set(store).await;
    crowd(&scene).await;
    for sort in TaskSort::ALL {
        for limit in [1, 3, 10, 26, 27, 500] {
            let tasks = scene.list(&TaskFilter::default(), sort, limit).await;
            assert_eq!(tasks.len(), 27, "{sort:?} in pages of {limit}");
            let is_in_order = tasks
                .is_sorted_by(|left, right| expected_order(left, right, sort) == Ordering::Less);
            assert!(is_in_order, "{sort:?} in pages of {limit}");
        }
    }
}

pub(super) async fn ties_follow_the_direction_of_the_sort(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = scene
        .ingest(["b", "c", "a"].map(|id| scene.event("task.received", id, at_s(1))))
        .await;
    let ids = |tasks: Vec<TaskSummary>| {
        tasks
            .into_iter()
            .map(|task| task.key.task_id)
            .collect::<Vec<_>>()
    };
    let filter = TaskFilter::default();
    assert_eq!(
        ids(scene.list(&filter, TaskSort::UpdatedDesc, 2).await),
        ["c", "b", "a"]
    );
    assert_eq!(
        ids(scene.list(&filter, TaskSort::UpdatedAsc, 2).await),
        ["a", "b", "c"]
    );
    assert_eq!(
        ids(scene.list(&filter, TaskSort::FinishedDesc, 2).await),
        ["c", "b", "a"],
        "also without a value"
    );
    let runs = [
        ("slow", 1, 700),
        ("old", 2, 5),
        ("new", 4, 5),
        ("amid", 3, 5),
    ];
    let _ = scene
        .ingest(runs.map(|(id, at, runtime_ms)| {
            scene
                .event("task.succeeded", id, at_s(at))
                .facts(|facts| facts.runtime_ms = Some(runtime_ms))
        }))
        .await;
    for limit in [1, 2, 10] {
        assert_eq!(
            ids(scene.list(&filter, TaskSort::RuntimeDesc, limit).await),
            ["slow", "new", "amid", "old", "c", "b", "a"],
            "equal runs by their latest change, in pages of {limit}"
        );
    }
}

pub(super) async fn cursor_of_another_query_is_refused(store: &dyn Store) {
    let scene = Scene::set(store).await;
    crowd(&scene).await;
    let filter = TaskFilter::default();
    let first = store
        .tasks(
            scene.project,
            &filter,
            TaskSort::UpdatedDesc,
            PageRequest::first(3),
        )
        .await
        .expect("a page");
    let request = PageRequest::first(3).after(first.next);
    let failures = TaskFilter {
        states: vec![TaskState::Failure],
        ..TaskFilter::default()
    };
    let attempts = [
        store
            .tasks(
                scene.project,
                &failures,
                TaskSort::UpdatedDesc,
                request.clone(),
            )
            .await,
        store
            .tasks(
                scene.project,
                &filter,
                TaskSort::UpdatedAsc,
                request.clone(),
            )
            .await,
        store
            .tasks(
                scene.project,
                &filter,
                TaskSort::RuntimeDesc,
                request.clone(),
            )
            .await,
        store
            .tasks(scene.other_project, &filter, TaskSort::UpdatedDesc, request)
            .await,
    ];
    for attempt in attempts {
        assert_eq!(
            attempt.expect_err("a cursor of another query").kind(),
            StoreErrorKind::InvalidQuery
        );
    }
}

pub(super) async fn invented_cursor_is_refused(store: &dyn Store) {
    let scene = Scene::set(store).await;
    crowd(&scene).await;
    let long = "A".repeat(100_000);
    for text in ["", "x", "e30", "' OR 1=1 --", "\0", long.as_str()] {
        let request = PageRequest::first(3).after(Some(Cursor::new(text.to_owned())));
        let attempt = store
            .tasks(
                scene.project,
                &TaskFilter::default(),
                TaskSort::UpdatedDesc,
                request,
            )
            .await;
        assert_eq!(
            attempt.expect_err("an invented cursor").kind(),
            StoreErrorKind::InvalidQuery
        );
    }
}

pub(super) async fn list_of_an_unknown_project_is_empty(store: &dyn Store) {
    let scene = Scene::set(store).await;
    crowd(&scene).await;
    let nobody = ProjectId::from_u128(fresh_id());
    let page = store
        .tasks(
            nobody,
            &TaskFilter::default(),
            TaskSort::UpdatedDesc,
            PageRequest::first(3),
        )
        .await;
    let page = page.expect("a page");
    assert!(page.items.is_empty() && page.next.is_none());
}

pub(super) async fn page_walk_holds_what_did_not_change_while_others_come(store: &dyn Store) {
    let scene = Scene::set(store).await;
    crowd(&scene).await;
    let filter = TaskFilter::default();
    for (round, sort) in (0_i64..).zip(TaskSort::ALL) {
        let expected = scene.list(&filter, sort, 500).await;
        let mut walked = Vec::new();
        let mut after = None;
        for step in 0_i64.. {
            let request = PageRequest::first(4).after(after);
            let page = store
                .tasks(scene.project, &filter, sort, request)
                .await
                .expect("a page");
            walked.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
            // One comes before and one behind the place that the walk has reached.
            let id = |place: &str| format!("new-{place}-{round}-{step}");
            let early = scene.event("task.received", &id("early"), at_s(-900 + step));
            let late = scene.event("task.succeeded", &id("late"), at_s(900 + step));
            let _ = scene.ingest([early, late]).await;
        }
        walked.retain(|task| expected.contains(task));
        assert_eq!(walked, expected, "{sort:?}");
    }
}
