//! What an engine says of itself.

use z4j_core::limits::ENGINE_CHARS_MAX;
use z4j_core::task::EventKind;

use super::watch::Watch;
use super::{EngineRig, RigJob};

pub(super) async fn descriptor_is_stable_and_legal(rig: &dyn EngineRig) {
    let descriptor = rig.engine().descriptor();
    let name = &descriptor.name;
    assert!(
        !name.is_empty() && name.chars().count() <= ENGINE_CHARS_MAX,
        "{name:?} must have 1 to {ENGINE_CHARS_MAX} characters"
    );
    assert!(!name.contains(':'), "targets are written {name}:task_id");
    let mut capabilities = descriptor.capabilities.clone();
    capabilities.sort();
    capabilities.dedup();
    assert_eq!(
        capabilities.len(),
        descriptor.capabilities.len(),
        "each capability is declared once"
    );
    assert_eq!(descriptor, rig.engine().descriptor());
}

pub(super) async fn waiting_tasks_are_counted(rig: &dyn EngineRig) {
    rig.stop_workers().await;
    for queue in ["alpha", "beta", "alpha"] {
        rig.submit(queue, RigJob::Succeeds).await;
    }
    let held = rig.engine().snapshot().await;
    let mut depths = held.expect("the engine can say what it holds").queue_depths;
    depths.retain(|(_, depth)| *depth > 0);
    depths.sort();
    assert_eq!(depths, [("alpha".to_owned(), 2), ("beta".to_owned(), 1)]);
}

pub(super) async fn drained_queue_is_empty(rig: &dyn EngineRig) {
    let mut watch = Watch::of(rig);
    let task_id = rig.submit("alpha", RigJob::Succeeds).await;
    watch.until_task(&task_id, &EventKind::TaskSucceeded).await;
    let held = rig.engine().snapshot().await;
    let held = held.expect("the engine can say what it holds");
    assert!(
        held.queue_depths.iter().all(|(_, depth)| *depth == 0),
        "{:?}",
        held.queue_depths
    );
    assert!(
        !held.workers.is_empty(),
        "the worker that ran the task is there"
    );
}
