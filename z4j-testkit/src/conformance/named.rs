//! Workers and queues that events name.

use z4j_core::store::{Store, WorkerSighting, WorkerState};

use super::scene::{Scene, at_s, batch};
use super::workers::{queue, see, sighting, worker};

pub(super) async fn events_show_workers_and_queues(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let event = |kind: &str, id: &str, at| scene.event(kind, id, at_s(at)).worker("w1").queue("q1");
    let _ = scene
        .ingest([
            event("task.received", "t1", 1),
            event("task.received", "t2", 1),
            event("task.started", "t2", 2),
            event("task.succeeded", "t3", 3),
            event("task.failed", "t4", 3),
        ])
        .await;
    let seen = worker(&scene, "w1").await;
    assert_eq!(
        (seen.state, seen.last_seen_at, seen.agent_id),
        (WorkerState::Online, at_s(3), scene.agent)
    );
    assert_eq!((seen.succeeded, seen.failed), (1, 1));
    let named = queue(&scene, "q1").await;
    assert_eq!(
        (
            named.waiting,
            named.running,
            named.depth,
            named.last_seen_at
        ),
        (1, 1, None, at_s(3))
    );
    let _ = scene
        .ingest([
            event("task.started", "t1", 5),
            event("task.succeeded", "t2", 5),
        ])
        .await;
    let named = queue(&scene, "q1").await;
    assert_eq!((named.waiting, named.running), (0, 1));
    assert_eq!(worker(&scene, "w1").await.succeeded, 2);
}

pub(super) async fn late_event_does_not_bring_a_worker_back(store: &dyn Store) {
    let scene = Scene::set(store).await;
    see(
        store,
        vec![WorkerSighting {
            stopping: true,
            ..sighting(&scene, "w1", at_s(50))
        }],
    )
    .await;
    let mut late = batch([scene.event("task.succeeded", "t1", at_s(49)).worker("w1")]);
    late.received_at = at_s(4_000);
    let _ = store.ingest(late).await.expect("ingesting");
    let seen = worker(&scene, "w1").await;
    assert_eq!(
        (seen.state, seen.last_seen_at, seen.succeeded),
        (WorkerState::Offline, at_s(50), 1)
    );
}
