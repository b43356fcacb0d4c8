//! What an engine says of its tasks.

use std::collections::BTreeSet;

use z4j_core::task::EventKind;

use super::watch::Watch;
use super::{EngineRig, RigJob};

pub(super) async fn success_is_seen_from_receipt_to_end(rig: &dyn EngineRig) {
    let mut watch = Watch::of(rig);
    let task_id = rig.submit("alpha", RigJob::Succeeds).await;
    watch.until_task(&task_id, &EventKind::TaskSucceeded).await;
    let steps = [
        EventKind::TaskReceived,
        EventKind::TaskStarted,
        EventKind::TaskSucceeded,
    ];
    let seen = watch.kinds_of(&task_id);
    let seen: Vec<_> = seen
        .into_iter()
        .filter(|kind| steps.contains(kind))
        .collect();
    assert_eq!(seen, steps.iter().collect::<Vec<_>>());
    let times: Vec<_> = watch
        .seen
        .iter()
        .filter(|event| event.task_id == task_id)
        .map(|event| event.occurred_at)
        .collect();
    assert!(
        times.is_sorted(),
        "the steps of one task must not go back in time: {times:?}"
    );
}

pub(super) async fn failure_is_seen_with_its_error(rig: &dyn EngineRig) {
    let mut watch = Watch::of(rig);
    let task_id = rig.submit("alpha", RigJob::Fails).await;
    watch.until_task(&task_id, &EventKind::TaskFailed).await;
    let failed = watch
        .seen
        .iter()
        .find(|event| event.task_id == task_id && event.kind == EventKind::TaskFailed)
        .expect("the failure was just reported");
    let data = serde_json::Value::Object(failed.data.clone()).to_string();
    assert!(
        data.contains("the rig's error"),
        "the failure must say what went wrong; its data is {data}"
    );
    assert!(
        !watch
            .kinds_of(&task_id)
            .contains(&&EventKind::TaskSucceeded),
        "a task that failed did not succeed"
    );
}

pub(super) async fn tasks_are_told_apart(rig: &dyn EngineRig) {
    let mut watch = Watch::of(rig);
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(rig.submit("alpha", RigJob::Succeeds).await);
    }
    let ids: BTreeSet<_> = tasks.iter().collect();
    assert_eq!(ids.len(), tasks.len(), "ids of tasks must not repeat");
    for task_id in &tasks {
        watch.until_task(task_id, &EventKind::TaskSucceeded).await;
        for kind in [EventKind::TaskStarted, EventKind::TaskSucceeded] {
            let times = watch.kinds_of(task_id);
            let times = times.into_iter().filter(|seen| **seen == kind).count();
            assert_eq!(
                times, 1,
                "{kind} of task {task_id} was reported {times} times"
            );
        }
    }
}

pub(super) async fn unread_events_slow_nothing_and_loss_is_declared(rig: &dyn EngineRig) {
    const TASKS: usize = 30_000;
    let mut unread = Watch::of(rig);
    for _ in 0..TASKS {
        rig.submit("alpha", RigJob::Succeeds).await;
    }
    // Until everything has run, nobody reads.
    loop {
        let held = rig.engine().snapshot().await;
        let held = held.expect("the engine can say what it holds");
        let waiting: u64 = held.queue_depths.iter().map(|(_, depth)| depth).sum();
        let active: u32 = held.workers.iter().map(|worker| worker.active).sum();
        if waiting == 0 && active == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let last = rig.submit("alpha", RigJob::Succeeds).await;
    unread.until_task(&last, &EventKind::TaskSucceeded).await;
    let ends = unread.seen.iter();
    let ends = ends.filter(|event| event.kind == EventKind::TaskSucceeded);
    assert!(
        ends.count() > TASKS || unread.lost > 0,
        "events are missing and the engine did not declare a loss"
    );
}
