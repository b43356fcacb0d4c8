//! Workers and queues, from sightings and from events.

use z4j_core::id::LinkId;
use z4j_core::store::{
    CloseLink, DisownedWorker, QueueRow, QueueSighting, ReportBatch, Store, WorkerRow,
    WorkerSighting, WorkerState,
};
use z4j_core::time::Timestamp;

use super::scene::{Scene, at_s, new_link, seconds, upkeep};

pub(super) fn sighting(scene: &Scene<'_>, name: &str, at: Timestamp) -> WorkerSighting {
    WorkerSighting {
        project_id: scene.project,
        engine: "celery".to_owned(),
        name: name.to_owned(),
        agent_id: scene.agent,
        own_link: None,
        at,
        stopping: false,
        pid: None,
        concurrency: None,
        active: None,
        queues: None,
        details: None,
    }
}

pub(super) async fn see(store: &dyn Store, workers: Vec<WorkerSighting>) {
    store
        .record_reports(ReportBatch {
            workers,
            ..ReportBatch::default()
        })
        .await
        .expect("reporting");
}

pub(super) async fn worker(scene: &Scene<'_>, name: &str) -> WorkerRow {
    let workers = scene.store.workers(scene.project).await.expect("workers");
    workers
        .into_iter()
        .find(|worker| worker.name == name)
        .expect("the worker")
}

pub(super) async fn queue(scene: &Scene<'_>, name: &str) -> QueueRow {
    let queues = scene.store.queues(scene.project).await.expect("queues");
    queues
        .into_iter()
        .find(|queue| queue.name == name)
        .expect("the queue")
}

/// Opens a link and shows a worker that is its own process.
async fn own_process(scene: &Scene<'_>, name: &str, at: Timestamp) -> LinkId {
    let open = scene.link(at);
    let link = open.link_id;
    scene.store.open_link(open).await.expect("opening");
    see(
        scene.store,
        vec![WorkerSighting {
            own_link: Some(link),
            ..sighting(scene, name, at)
        }],
    )
    .await;
    link
}

fn names(workers: &[WorkerRow]) -> Vec<&str> {
    workers.iter().map(|worker| worker.name.as_str()).collect()
}

pub(super) async fn sighting_keeps_what_a_later_one_leaves_out(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let full = WorkerSighting {
        pid: Some(7),
        concurrency: Some(4),
        active: Some(2),
        queues: Some(vec!["a".to_owned(), "b".to_owned()]),
        details: Some(r#"{"sw_ver":"5.4"}"#.to_owned()),
        ..sighting(&scene, "w1", at_s(1))
    };
    see(store, vec![full, sighting(&scene, "w0", at_s(1))]).await;
    see(
        store,
        vec![WorkerSighting {
            active: Some(3),
            ..sighting(&scene, "w1", at_s(2))
        }],
    )
    .await;
    let seen = worker(&scene, "w1").await;
    assert_eq!(
        (seen.state, seen.last_seen_at, seen.agent_id),
        (WorkerState::Online, at_s(2), scene.agent)
    );
    assert_eq!(
        (seen.pid, seen.concurrency, seen.active),
        (Some(7), Some(4), Some(3))
    );
    assert_eq!(
        (seen.queues, seen.details.as_deref()),
        (
            vec!["a".to_owned(), "b".to_owned()],
            Some(r#"{"sw_ver":"5.4"}"#)
        )
    );
    assert_eq!(
        names(&store.workers(scene.project).await.expect("workers")),
        ["w0", "w1"]
    );
}

pub(super) async fn older_sighting_says_nothing(store: &dyn Store) {
    let scene = Scene::set(store).await;
    see(
        store,
        vec![WorkerSighting {
            active: Some(1),
            ..sighting(&scene, "w1", at_s(10))
        }],
    )
    .await;
    let older = WorkerSighting {
        stopping: true,
        active: Some(9),
        ..sighting(&scene, "w1", at_s(5))
    };
    see(store, vec![older]).await;
    let seen = worker(&scene, "w1").await;
    assert_eq!(
        (seen.state, seen.last_seen_at, seen.active),
        (WorkerState::Online, at_s(10), Some(1))
    );
}

pub(super) async fn busy_worker_is_described_by_an_older_heartbeat(store: &dyn Store) {
    let scene = Scene::set(store).await;
    see(store, vec![sighting(&scene, "w1", at_s(10))]).await;
    let described = |active, at| WorkerSighting {
        active: Some(active),
        ..sighting(&scene, "w1", at)
    };
    see(store, vec![described(3, at_s(9))]).await;
    see(store, vec![described(1, at_s(8))]).await;
    let seen = worker(&scene, "w1").await;
    assert_eq!((seen.last_seen_at, seen.active), (at_s(10), Some(3)));
}

pub(super) async fn stopped_worker_is_offline_until_seen_again(store: &dyn Store) {
    let scene = Scene::set(store).await;
    see(store, vec![sighting(&scene, "w1", at_s(1))]).await;
    see(
        store,
        vec![WorkerSighting {
            stopping: true,
            ..sighting(&scene, "w1", at_s(2))
        }],
    )
    .await;
    assert_eq!(worker(&scene, "w1").await.state, WorkerState::Offline);
    see(store, vec![sighting(&scene, "w1", at_s(3))]).await;
    assert_eq!(worker(&scene, "w1").await.state, WorkerState::Online);
}

pub(super) async fn worker_goes_with_its_own_link(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let link = own_process(&scene, "own", at_s(1)).await;
    see(store, vec![sighting(&scene, "observed", at_s(1))]).await;
    let gone = store
        .close_links(vec![CloseLink {
            link_id: link,
            at: at_s(5),
        }])
        .await
        .expect("closing");
    assert_eq!(names(&gone), ["own"]);
    assert!(
        gone.iter()
            .all(|worker| worker.state == WorkerState::Offline)
    );
    assert_eq!(worker(&scene, "own").await.state, WorkerState::Offline);
    assert_eq!(worker(&scene, "observed").await.state, WorkerState::Online);
    let again = store
        .close_links(vec![CloseLink {
            link_id: link,
            at: at_s(6),
        }])
        .await
        .expect("closing");
    assert!(again.is_empty());
}

pub(super) async fn own_link_counts_though_others_described_the_worker_since(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let described = WorkerSighting {
        agent_id: scene.second_agent,
        active: Some(1),
        ..sighting(&scene, "w1", at_s(20))
    };
    see(store, vec![described]).await;
    let owner = || async {
        let owners = store.worker_owners(scene.project).await.expect("owners");
        owners.into_iter().map(|owner| owner.link_id).next()
    };
    let first = own_process(&scene, "w1", at_s(10)).await;
    assert_eq!(owner().await, Some(first));
    let _second = own_process(&scene, "w1", at_s(5)).await;
    assert_eq!(owner().await, Some(first), "an open link claims it by then");
    let close = CloseLink {
        link_id: first,
        at: at_s(30),
    };
    let gone = store.close_links(vec![close]).await.expect("closing");
    assert_eq!(names(&gone), ["w1"]);
    let third = own_process(&scene, "w1", at_s(6)).await;
    assert_eq!(owner().await, Some(third), "nobody else claims it any more");
}

pub(super) async fn worker_of_a_newer_link_stays(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let old = own_process(&scene, "w1", at_s(1)).await;
    let new = own_process(&scene, "w1", at_s(2)).await;
    let gone = store
        .close_links(vec![CloseLink {
            link_id: old,
            at: at_s(3),
        }])
        .await
        .expect("closing");
    assert!(gone.is_empty());
    assert_eq!(worker(&scene, "w1").await.state, WorkerState::Online);
    let gone = store
        .close_links(vec![CloseLink {
            link_id: new,
            at: at_s(4),
        }])
        .await
        .expect("closing");
    assert_eq!(names(&gone), ["w1"]);
}

pub(super) async fn silent_worker_is_swept_once(store: &dyn Store) {
    let scene = Scene::set(store).await;
    see(
        store,
        vec![
            sighting(&scene, "silent", at_s(1)),
            sighting(&scene, "loud", at_s(50)),
        ],
    )
    .await;
    let closed = WorkerSighting {
        own_link: Some(new_link()),
        ..sighting(&scene, "orphan", at_s(1))
    };
    see(store, vec![closed]).await;
    assert!(
        store
            .sweep_workers(&upkeep(store, at_s(0)).await, at_s(91), seconds(90))
            .await
            .expect("sweeping")
            .is_empty(),
        "not before the time"
    );
    let swept = store
        .sweep_workers(&upkeep(store, at_s(0)).await, at_s(92), seconds(90))
        .await
        .expect("sweeping");
    let mut swept_names = names(&swept);
    swept_names.sort_unstable();
    assert_eq!(swept_names, ["orphan", "silent"]);
    assert!(
        swept
            .iter()
            .all(|worker| worker.state == WorkerState::Offline)
    );
    assert_eq!(worker(&scene, "loud").await.state, WorkerState::Online);
    assert!(
        store
            .sweep_workers(&upkeep(store, at_s(0)).await, at_s(93), seconds(90))
            .await
            .expect("sweeping")
            .is_empty()
    );
}

pub(super) async fn silent_worker_with_an_open_link_stays(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let link = own_process(&scene, "w1", at_s(1)).await;
    assert!(
        store
            .sweep_workers(&upkeep(store, at_s(0)).await, at_s(500), seconds(90))
            .await
            .expect("sweeping")
            .is_empty()
    );
    assert_eq!(worker(&scene, "w1").await.state, WorkerState::Online);
    let closes = vec![CloseLink {
        link_id: link,
        at: at_s(501),
    }];
    let gone = store.close_links(closes).await.expect("closing");
    assert_eq!(names(&gone), ["w1"]);
    assert_eq!(
        worker(&scene, "w1").await.state,
        WorkerState::Offline,
        "what {link} vouched for is gone"
    );
}

pub(super) async fn disowned_worker_depends_on_being_seen(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let link = own_process(&scene, "w1", at_s(1)).await;
    let other = own_process(&scene, "w2", at_s(1)).await;
    let disowned = ["w1", "w2"].map(|name| DisownedWorker {
        project_id: scene.project,
        engine: "celery".to_owned(),
        name: name.to_owned(),
        link_id: link,
    });
    let reports = ReportBatch {
        disowned: disowned.to_vec(),
        ..ReportBatch::default()
    };
    store.record_reports(reports).await.expect("reporting");
    let close = CloseLink {
        link_id: link,
        at: at_s(2),
    };
    let gone = store.close_links(vec![close]).await.expect("closing");
    assert!(gone.is_empty(), "the link vouches for nobody");
    assert_eq!(worker(&scene, "w1").await.state, WorkerState::Online);
    let swept = store
        .sweep_workers(&upkeep(store, at_s(0)).await, at_s(500), seconds(90))
        .await
        .expect("sweeping");
    assert_eq!(names(&swept), ["w1"], "{other} vouches for w2");
    assert_eq!(worker(&scene, "w2").await.state, WorkerState::Online);
}

pub(super) async fn queue_keeps_its_latest_depth(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let depths = [(Some(5), 10), (Some(9), 5), (None, 20)];
    let queues = depths.map(|(depth, at)| QueueSighting {
        project_id: scene.project,
        engine: "celery".to_owned(),
        name: "q1".to_owned(),
        depth,
        at: at_s(at),
    });
    store
        .record_reports(ReportBatch {
            queues: queues.to_vec(),
            ..ReportBatch::default()
        })
        .await
        .expect("reporting");
    let seen = queue(&scene, "q1").await;
    assert_eq!(
        (seen.depth, seen.depth_at, seen.last_seen_at),
        (Some(5), Some(at_s(10)), at_s(20))
    );
}
