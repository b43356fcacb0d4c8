//! What an engine does when it is told to.

use serde_json::{Map, Value, json};
use z4j_core::engine::{CommandOutcome, EngineCommand};
use z4j_core::id::CommandId;
use z4j_core::task::EventKind;

use super::watch::Watch;
use super::{EngineRig, RigJob};

/// The actions that the wire protocol knows and an engine carries out (wire §6.2).
const ACTIONS: [&str; 4] = ["retry_task", "cancel_task", "purge_queue", "submit_task"];

fn command(number: u128, action: &str, parameters: &Value) -> EngineCommand {
    EngineCommand {
        id: CommandId::from_u128(number),
        action: action.to_owned(),
        parameters: parameters.as_object().cloned().unwrap_or_default(),
    }
}

async fn execute(rig: &dyn EngineRig, command: EngineCommand) -> CommandOutcome {
    let action = command.action.clone();
    let outcome = rig.engine().execute(command).await;
    outcome.unwrap_or_else(|error| {
        panic!("{action}: `Err` means that nobody knows what happened, and here the engine knows: {error}")
    })
}

async fn done(rig: &dyn EngineRig, command: EngineCommand) -> Map<String, Value> {
    let action = command.action.clone();
    match execute(rig, command).await {
        CommandOutcome::Done(result) => result,
        other => panic!("{action} was declared and can be done, but the answer is {other:?}"),
    }
}

fn declares(rig: &dyn EngineRig, action: &str) -> bool {
    let descriptor = rig.engine().descriptor();
    descriptor.capabilities.iter().any(|token| token == action)
}

pub(super) async fn unknown_action_is_unsupported(rig: &dyn EngineRig) {
    let outcome = execute(rig, command(1, "no_such_action", &json!({}))).await;
    assert_eq!(outcome, CommandOutcome::Unsupported);
}

pub(super) async fn declared_actions_are_supported(rig: &dyn EngineRig) {
    for (number, action) in (10..).zip(ACTIONS) {
        let outcome = execute(rig, command(number, action, &json!({}))).await;
        let is_supported = outcome != CommandOutcome::Unsupported;
        assert!(
            is_supported || !declares(rig, action),
            "{action} is declared and answered as unsupported"
        );
    }
}

pub(super) async fn unknown_task_is_a_failure(rig: &dyn EngineRig) {
    for (number, action) in (20..).zip(["retry_task", "cancel_task"]) {
        if declares(rig, action) {
            let asked = command(number, action, &json!({ "task_id": "no-such-task" }));
            let outcome = execute(rig, asked).await;
            assert!(
                matches!(&outcome, CommandOutcome::Failed(reason) if !reason.is_empty()),
                "{action} of a task that does not exist: {outcome:?}"
            );
        }
    }
}

pub(super) async fn malformed_parameters_are_a_failure(rig: &dyn EngineRig) {
    let wrong = [
        json!({}),
        json!({ "task_id": 7, "queue": [], "name": null }),
    ];
    for (number, parameters) in (30..).zip(wrong) {
        for (place, action) in (0..).zip(ACTIONS) {
            if declares(rig, action) {
                let asked = command(number * 10 + place, action, &parameters);
                let outcome = execute(rig, asked).await;
                assert!(
                    matches!(outcome, CommandOutcome::Failed(_)),
                    "{action} with {parameters}: {outcome:?}"
                );
            }
        }
    }
}

pub(super) async fn retry_runs_again_under_the_answered_id(rig: &dyn EngineRig) {
    if !declares(rig, "retry_task") {
        return;
    }
    let mut watch = Watch::of(rig);
    let task_id = rig.submit("alpha", RigJob::Fails).await;
    watch.until_task(&task_id, &EventKind::TaskFailed).await;
    let result = done(
        rig,
        command(40, "retry_task", &json!({ "task_id": task_id })),
    )
    .await;
    let new = result.get("new_task_id").and_then(Value::as_str);
    let new = new
        .expect("the answer to a retry names the new task")
        .to_owned();
    assert_ne!(new, task_id, "a retry is a task of its own");
    watch.until_task(&new, &EventKind::TaskFailed).await;
}

pub(super) async fn repeated_retry_has_one_effect(rig: &dyn EngineRig) {
    if !declares(rig, "retry_task") {
        return;
    }
    let mut watch = Watch::of(rig);
    let task_id = rig.submit("alpha", RigJob::Fails).await;
    watch.until_task(&task_id, &EventKind::TaskFailed).await;
    let asked = command(41, "retry_task", &json!({ "task_id": task_id }));
    let first = done(rig, asked.clone()).await;
    let second = done(rig, asked).await;
    assert_eq!(first, second, "the same command has the same answer");
    let marker = rig.submit("alpha", RigJob::Succeeds).await;
    watch.until_task(&marker, &EventKind::TaskSucceeded).await;
    let new = first
        .get("new_task_id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    watch.until_task(new, &EventKind::TaskFailed).await;
    let ends = watch.seen.iter();
    let ends = ends
        .filter(|event| event.kind == EventKind::TaskFailed)
        .count();
    assert_eq!(ends, 2, "the task ran once, and its retry once");
}

pub(super) async fn cancelled_task_never_runs(rig: &dyn EngineRig) {
    if !declares(rig, "cancel_task") {
        return;
    }
    let mut watch = Watch::of(rig);
    rig.stop_workers().await;
    let task_id = rig.submit("alpha", RigJob::Succeeds).await;
    done(
        rig,
        command(50, "cancel_task", &json!({ "task_id": task_id })),
    )
    .await;
    watch.until_task(&task_id, &EventKind::TaskRevoked).await;
    let kinds = watch.kinds_of(&task_id);
    assert!(!kinds.contains(&&EventKind::TaskStarted), "{kinds:?}");
}

pub(super) async fn purge_empties_one_queue(rig: &dyn EngineRig) {
    if !declares(rig, "purge_queue") {
        return;
    }
    rig.stop_workers().await;
    for queue in ["alpha", "alpha", "beta"] {
        rig.submit(queue, RigJob::Succeeds).await;
    }
    let asked = command(
        60,
        "purge_queue",
        &json!({ "queue": "alpha", "force": true }),
    );
    let result = done(rig, asked).await;
    assert_eq!(result.get("purged"), Some(&json!(2)), "{result:?}");
    let held = rig.engine().snapshot().await;
    let mut depths = held.expect("the engine can say what it holds").queue_depths;
    depths.retain(|(_, depth)| *depth > 0);
    assert_eq!(depths, [("beta".to_owned(), 1)]);
}
