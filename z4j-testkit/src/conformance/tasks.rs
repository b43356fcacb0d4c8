//! One task, its tree, and numbers over tasks.

use std::sync::Arc;

use z4j_core::limits::SUMMARY_MESSAGE_BYTES_MAX;
use z4j_core::store::{Facets, Store, TaskFilter, TaskSort, TaskSummary};
use z4j_core::task::TaskState;

use super::scene::{Scene, Sent, at_s, key};

pub(super) async fn unknown_task_is_absent(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = scene
        .ingest([scene.event("task.received", "t1", at_s(1))])
        .await;
    assert!(scene.task("t2").await.is_none());
}

fn failed_with_everything(scene: &Scene<'_>) -> [Sent; 3] {
    let sent = scene
        .event("task.sent", "t1", at_s(1))
        .name("app.pay")
        .queue("slow")
        .args("[1]")
        .facts(|facts| {
            facts.kwargs = Some(Arc::from(r#"{"user":"ann"}"#));
            facts.priority = Some(Arc::from("high"));
            facts.eta = Some(at_s(2));
            facts.parent_task_id = Some(Arc::from("p"));
            facts.root_task_id = Some(Arc::from("r"));
            facts.tags = vec![Arc::from("billing"), Arc::from("eu")];
        });
    let started = scene.event("task.started", "t1", at_s(3)).worker("w1");
    let failed = scene.event("task.failed", "t1", at_s(5)).facts(|facts| {
        facts.exception = Some(Arc::from("ValueError"));
        facts.exception_message = Some(Arc::from("no such card"));
        facts.traceback = Some(Arc::from("Traceback:\n  line"));
        facts.runtime_ms = Some(1_234);
    });
    [sent, started, failed]
}

pub(super) async fn task_shows_what_its_record_shows(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = scene.ingest(failed_with_everything(&scene)).await;
    let detail = scene.task("t1").await.expect("the task");
    let expected = TaskSummary::from_record(key("t1"), &detail.record, at_s(6));
    assert_eq!(detail.summary, expected);
    assert_eq!(
        scene
            .list(&TaskFilter::default(), TaskSort::UpdatedDesc, 10)
            .await,
        [expected]
    );
    let view = detail.record.view();
    assert_eq!(
        (view.args, view.kwargs),
        (Some("[1]"), Some(r#"{"user":"ann"}"#))
    );
    assert_eq!(
        (view.traceback, view.runtime_ms),
        (Some("Traceback:\n  line"), Some(1_234))
    );
    assert_eq!(detail.summary.tags, ["billing", "eu"]);
    assert_eq!(
        (detail.summary.state, detail.summary.agent_id),
        (TaskState::Failure, Some(scene.agent))
    );
}

pub(super) async fn task_is_as_old_as_its_first_receipt(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = scene
        .ingest([scene.event("task.succeeded", "t1", at_s(9))])
        .await;
    let _ = scene
        .ingest([scene.event("task.started", "t1", at_s(20))])
        .await;
    let task = scene.task("t1").await.expect("the task").summary;
    assert_eq!((task.created_at, task.state_at), (at_s(10), at_s(20)));
}

pub(super) async fn attempts_of_one_task_stay_one_row(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let steps = [
        ("task.started", 1),
        ("task.retried", 2),
        ("task.started", 3),
        ("task.failed", 4),
        ("task.started", 5),
    ];
    for (kind, at) in steps {
        let _ = scene.ingest([scene.event(kind, "t1", at_s(at))]).await;
    }
    let tasks = scene
        .list(&TaskFilter::default(), TaskSort::UpdatedDesc, 10)
        .await;
    let [task] = tasks.as_slice() else {
        panic!("one row")
    };
    assert_eq!(
        (task.state, task.retry_count, task.finished_at),
        (TaskState::Started, 2, None)
    );
}

pub(super) async fn list_shows_the_first_line_of_a_message(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let message = format!("{}\nsecond line", "é".repeat(SUMMARY_MESSAGE_BYTES_MAX));
    let event = scene
        .event("task.failed", "t1", at_s(1))
        .facts(|facts| facts.exception_message = Some(Arc::from(message.as_str())));
    let _ = scene.ingest([event]).await;
    let detail = scene.task("t1").await.expect("the task");
    let shown = detail.summary.exception_message.expect("a message");
    assert!(
        shown.len() <= SUMMARY_MESSAGE_BYTES_MAX
            && message.starts_with(&shown)
            && !shown.is_empty()
    );
    assert_eq!(
        detail.record.view().exception_message,
        Some(message.as_str())
    );
}

/// A root, two children, and a stranger. The root's own events name no root.
async fn family(scene: &Scene<'_>) {
    let child = |id: &str, parent: &str, at| {
        let (parent, root) = (Arc::from(parent), Arc::from("root"));
        scene
            .event("task.received", id, at_s(at))
            .name("app.child")
            .facts(|facts| {
                facts.parent_task_id = Some(parent);
                facts.root_task_id = Some(root);
            })
    };
    let _ = scene
        .ingest([
            child("grandchild", "child", 3),
            scene.event("task.received", "root", at_s(1)),
            scene.event("task.received", "stranger", at_s(1)),
            child("child", "root", 2),
        ])
        .await;
}

pub(super) async fn tree_holds_the_tasks_of_one_root(store: &dyn Store) {
    let scene = Scene::set(store).await;
    family(&scene).await;
    for member in ["root", "child", "grandchild"] {
        let tree = store
            .task_tree(scene.project, &key(member), 10)
            .await
            .expect("a tree")
            .expect("the task");
        let ids: Vec<_> = tree
            .nodes
            .iter()
            .map(|node| node.key.task_id.as_str())
            .collect();
        assert_eq!(ids, ["root", "child", "grandchild"], "seen from {member}");
        assert_eq!((tree.root.as_str(), tree.truncated), ("root", false));
        let child = tree.nodes.get(1).expect("the child");
        assert_eq!(
            (child.parent_task_id.as_deref(), child.name.as_deref()),
            (Some("root"), Some("app.child"))
        );
    }
}

pub(super) async fn tree_says_when_it_was_cut(store: &dyn Store) {
    let scene = Scene::set(store).await;
    family(&scene).await;
    let tree = store
        .task_tree(scene.project, &key("child"), 2)
        .await
        .expect("a tree")
        .expect("the task");
    assert_eq!((tree.nodes.len(), tree.truncated), (2, true));
    let tree = store
        .task_tree(scene.project, &key("child"), 3)
        .await
        .expect("a tree")
        .expect("the task");
    assert_eq!((tree.nodes.len(), tree.truncated), (3, false));
}

pub(super) async fn tree_of_an_unknown_task_is_absent(store: &dyn Store) {
    let scene = Scene::set(store).await;
    family(&scene).await;
    assert!(
        store
            .task_tree(scene.project, &key("nobody"), 10)
            .await
            .expect("an answer")
            .is_none()
    );
}

pub(super) async fn facets_are_cut_to_the_most_frequent(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let names = ["a", "b", "b", "c", "c", "c"];
    let sent = |(index, name): (usize, &&str)| {
        scene
            .event("task.received", &format!("t{index}"), at_s(1))
            .name(name)
    };
    let _ = scene.ingest(names.iter().enumerate().map(sent)).await;
    let facets = store.facets(scene.project, 2).await.expect("facets");
    let found: Vec<_> = facets
        .names
        .iter()
        .map(|facet| (facet.value.as_str(), facet.count))
        .collect();
    assert_eq!(found, [("c", 3), ("b", 2)]);
    assert!(facets.queues.is_empty());
}

pub(super) async fn minute_counts_keep_to_their_window(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let ended = |minute: i64| {
        scene.event(
            "task.succeeded",
            &format!("t{minute}"),
            at_s(minute * 60 + 59),
        )
    };
    let _ = scene.ingest((0..5).map(ended)).await;
    let counts = store
        .minute_counts(scene.project, at_s(60), at_s(180))
        .await
        .expect("counts");
    let found: Vec<_> = counts
        .iter()
        .map(|count| (count.minute, count.state, count.count))
        .collect();
    assert_eq!(
        found,
        [
            (at_s(60), TaskState::Success, 1),
            (at_s(120), TaskState::Success, 1)
        ]
    );
}

pub(super) async fn empty_project_has_empty_numbers(store: &dyn Store) {
    let scene = Scene::set(store).await;
    assert!(
        store
            .state_counts(scene.project)
            .await
            .expect("counts")
            .is_empty()
    );
    assert!(
        store
            .minute_counts(scene.project, at_s(0), at_s(600))
            .await
            .expect("counts")
            .is_empty()
    );
    assert_eq!(
        store.facets(scene.project, 10).await.expect("facets"),
        Facets::default()
    );
    assert!(
        store
            .workers(scene.project)
            .await
            .expect("workers")
            .is_empty()
    );
    assert!(
        store
            .queues(scene.project)
            .await
            .expect("queues")
            .is_empty()
    );
}

pub(super) async fn tasks_are_found_by_their_keys(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let events = ["t1", "t2", "t3"].map(|id| scene.event("task.received", id, at_s(1)));
    let _ = scene.ingest(events).await;
    let keys = ["t3", "t1", "t9", "t3"].map(key);
    let found = store.tasks_by_keys(scene.project, &keys).await;
    let mut found = found.expect("tasks by keys");
    found.sort_by(|left, right| left.key.cmp(&right.key));
    let whole = scene
        .list(&TaskFilter::default(), TaskSort::UpdatedAsc, 10)
        .await;
    let wanted: Vec<TaskSummary> = whole
        .into_iter()
        .filter(|task| task.key != key("t2"))
        .collect();
    assert_eq!(found, wanted);
    let other = store.tasks_by_keys(scene.other_project, &keys).await;
    assert!(other.expect("tasks by keys").is_empty());
    let none = store.tasks_by_keys(scene.project, &[]).await;
    assert!(none.expect("tasks by keys").is_empty());
}
