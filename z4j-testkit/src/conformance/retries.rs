//! A person's retry and its original know each other.

use z4j_core::command::CommandInput;
use z4j_core::id::CommandId;
use z4j_core::store::{AdvanceCommand, AdvanceOutcome, RetryLink, Store};

use super::scene::{Scene, advance, at_s, key};

async fn dispatched(scene: &Scene<'_>) -> CommandId {
    let command = scene.command(at_s(1));
    let id = command.id;
    let _ = scene.store.issue_command(command).await.expect("issuing");
    let claimed = scene
        .store
        .claim_commands(scene.claim(scene.open_link().await, at_s(2)))
        .await
        .expect("claiming");
    assert_eq!(claimed.len(), 1);
    id
}

fn result(scene: &Scene<'_>, id: CommandId, retry: &str) -> AdvanceCommand {
    let mut done = advance(id, scene.agent, CommandInput::Succeeded, at_s(3));
    done.retry_link = Some(RetryLink {
        original: key("t1"),
        retry_task_id: retry.to_owned(),
    });
    done
}

async fn links(scene: &Scene<'_>) -> [(Option<String>, Option<String>); 2] {
    let mut found = [(None, None), (None, None)];
    for (place, id) in found.iter_mut().zip(["t1", "t2"]) {
        let task = scene.task(id).await.expect("the task").summary;
        let listed = scene.ids(&z4j_core::store::TaskFilter::default()).await;
        assert!(listed.iter().any(|listed| listed == id));
        *place = (task.retried_as, task.retry_of);
    }
    found
}

fn both() -> [(Option<String>, Option<String>); 2] {
    [(Some("t2".to_owned()), None), (None, Some("t1".to_owned()))]
}

pub(super) async fn retry_is_shown_on_both_tasks(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = scene
        .ingest([
            scene.event("task.failed", "t1", at_s(0)),
            scene.event("task.received", "t2", at_s(2)),
        ])
        .await;
    let id = dispatched(&scene).await;
    let _ = store
        .advance_command(result(&scene, id, "t2"))
        .await
        .expect("advancing");
    assert_eq!(links(&scene).await, both());
    let receipt = scene
        .ingest([scene.event("task.started", "t2", at_s(4))])
        .await;
    let [change] = receipt.changes.as_slice() else {
        panic!("one change")
    };
    assert_eq!(
        change.task.retry_of.as_deref(),
        Some("t1"),
        "a receipt shows links too"
    );
    assert_eq!(links(&scene).await, both(), "links outlive later events");
}

pub(super) async fn retry_is_shown_on_tasks_that_come_later(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let id = dispatched(&scene).await;
    let _ = store
        .advance_command(result(&scene, id, "t2"))
        .await
        .expect("advancing");
    let receipt = scene
        .ingest([scene.event("task.received", "t2", at_s(4))])
        .await;
    assert_eq!(
        receipt
            .changes
            .first()
            .and_then(|change| change.task.retry_of.clone())
            .as_deref(),
        Some("t1")
    );
    let receipt = scene
        .ingest([scene.event("task.failed", "t1", at_s(5))])
        .await;
    assert_eq!(
        receipt
            .changes
            .first()
            .and_then(|change| change.task.retried_as.clone())
            .as_deref(),
        Some("t2")
    );
    assert_eq!(links(&scene).await, both());
}

pub(super) async fn repeated_result_keeps_one_link(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = scene
        .ingest(["t1", "t2"].map(|id| scene.event("task.received", id, at_s(0))))
        .await;
    let id = dispatched(&scene).await;
    let first = store
        .advance_command(result(&scene, id, "t2"))
        .await
        .expect("advancing");
    assert!(matches!(first, AdvanceOutcome::Advanced(_)));
    let again = store
        .advance_command(result(&scene, id, "t2"))
        .await
        .expect("advancing");
    assert!(matches!(again, AdvanceOutcome::Absorbed(_)));
    assert_eq!(links(&scene).await, both());
}

pub(super) async fn absorbed_input_links_nothing(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let _ = scene
        .ingest(["t1", "t2"].map(|id| scene.event("task.received", id, at_s(0))))
        .await;
    let id = dispatched(&scene).await;
    let failed = advance(
        id,
        scene.agent,
        CommandInput::Failed {
            indeterminate: false,
        },
        at_s(3),
    );
    let _ = store.advance_command(failed).await.expect("advancing");
    let late = store
        .advance_command(result(&scene, id, "t2"))
        .await
        .expect("advancing");
    assert!(matches!(late, AdvanceOutcome::Absorbed(_)));
    assert_eq!(links(&scene).await, [(None, None), (None, None)]);
}
