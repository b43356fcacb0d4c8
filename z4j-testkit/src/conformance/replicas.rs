//! Several brains on one store: beats, burials, and what the dead may not do any more.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use z4j_core::command::CommandState;
use z4j_core::id::{LinkId, ReplicaId};
use z4j_core::store::{
    BeatOutcome, CloseLink, Estate, ForgetOutcome, ForgetReplica, ReplicaBeat, ReplicaRow,
    ReportBatch, Store, StoreErrorKind, WorkerOwner, WorkerSighting, WorkerState,
};

use super::agents::shown;
use super::commands::{issue, stored};
use super::scene::{ENGINE, REPLICA, Scene, at_s, first_beat, register};

fn replica(number: u128) -> ReplicaId {
    ReplicaId::from_u128(number)
}

async fn beat(store: &dyn Store, beat: ReplicaBeat) -> BeatOutcome {
    store.beat(beat).await.expect("a beat")
}

fn alive(outcome: BeatOutcome) -> Vec<ReplicaRow> {
    match outcome {
        BeatOutcome::Alive(rows) => rows,
        BeatOutcome::Buried => panic!("it was not buried"),
    }
}

fn later(number: u128, announced: u64) -> ReplicaBeat {
    ReplicaBeat {
        is_first: false,
        announced,
        now: at_s(-5),
        ..first_beat(number)
    }
}

async fn bury(store: &dyn Store, number: u128, beat: u64) -> ForgetOutcome {
    let forget = ForgetReplica {
        replica: replica(number),
        beat,
        at: at_s(10),
    };
    store.forget_replica(forget).await.expect("an answer")
}

fn estate(outcome: ForgetOutcome) -> Estate {
    match outcome {
        ForgetOutcome::Forgotten(estate) => estate,
        other => panic!("not buried: {other:?}"),
    }
}

pub(super) async fn beat_counts_up_and_names_all(store: &dyn Store) {
    let own = alive(beat(store, first_beat(1)).await);
    assert_eq!(own.len(), 1);
    let _ = alive(beat(store, first_beat(2)).await);
    let rows = alive(beat(store, later(1, 5)).await);
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.replica,
                row.beat,
                row.announced,
                row.started_at,
                row.clock,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (replica(1), 2, 5, at_s(0), at_s(-5)),
            (replica(2), 1, 0, at_s(0), at_s(0)),
        ]
    );
    assert!(rows.iter().all(|row| !row.is_gone), "both came just now");
    let again = alive(beat(store, first_beat(1)).await);
    assert_eq!(
        (again[0].beat, again[0].announced),
        (3, 5),
        "a first beat that is sent again is a beat"
    );
}

pub(super) async fn buried_brain_learns_of_it(store: &dyn Store) {
    register(store, 1).await;
    register(store, 2).await;
    let _ = estate(bury(store, 1, 1).await);
    for _ in 0..2 {
        assert_eq!(beat(store, later(1, 0)).await, BeatOutcome::Buried);
    }
    let rows = alive(beat(store, later(2, 0)).await);
    assert_eq!(rows.len(), 1, "only the second one is known");
    assert_eq!(bury(store, 1, 1).await, ForgetOutcome::Unknown);
}

pub(super) async fn living_brain_is_not_buried(store: &dyn Store) {
    register(store, 1).await;
    let _ = alive(beat(store, later(1, 0)).await);
    for stale in [1, 3] {
        assert_eq!(bury(store, 1, stale).await, ForgetOutcome::Lives);
    }
    assert_eq!(alive(beat(store, later(1, 0)).await).len(), 1);
}

pub(super) async fn brain_is_buried_once_by_many(store: &dyn Store) {
    register(store, 1).await;
    let outcomes = join_all((0..8).map(|_| bury(store, 1, 1))).await;
    let buried = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, ForgetOutcome::Forgotten(_)));
    assert_eq!(buried.count(), 1);
}

/// Opens a link that a brain holds, whose own process is the worker of this name.
async fn linked(scene: &Scene<'_>, holder: u128, worker: &str) -> LinkId {
    let mut open = scene.link(at_s(1));
    open.replica = replica(holder);
    let link = open.link_id;
    scene.store.open_link(open).await.expect("opening");
    let seen = WorkerSighting {
        project_id: scene.project,
        engine: ENGINE.to_owned(),
        name: worker.to_owned(),
        agent_id: scene.agent,
        own_link: Some(link),
        at: at_s(1),
        stopping: false,
        pid: None,
        concurrency: None,
        active: None,
        queues: None,
        details: None,
    };
    let batch = ReportBatch {
        workers: vec![seen],
        ..ReportBatch::default()
    };
    scene.store.record_reports(batch).await.expect("reporting");
    link
}

pub(super) async fn burial_closes_the_links_of_the_dead(store: &dyn Store) {
    let scene = Scene::set(store).await;
    register(store, 1).await;
    let _first = linked(&scene, 1, "w1").await;
    let _second = linked(&scene, 1, "w2").await;
    let other = linked(&scene, REPLICA, "w3").await;
    let estate = estate(bury(store, 1, 1).await);
    assert_eq!(estate.links, 2);
    let mut gone: Vec<_> = estate
        .workers
        .iter()
        .map(|worker| (worker.name.as_str(), worker.state))
        .collect();
    gone.sort_by_key(|(name, _)| *name);
    assert_eq!(
        gone,
        [("w1", WorkerState::Offline), ("w2", WorkerState::Offline)]
    );
    let links = shown(&scene, scene.agent).await.links;
    assert_eq!(links.len(), 1);
    assert_eq!((links[0].id, links[0].replica), (other, replica(REPLICA)));
    let workers = store.workers(scene.project).await.expect("workers");
    let online = workers
        .iter()
        .filter(|worker| worker.state == WorkerState::Online);
    assert_eq!(online.count(), 1);
}

pub(super) async fn burial_tells_the_commands_in_flight(store: &dyn Store) {
    let scene = Scene::set(store).await;
    register(store, 1).await;
    let dead = linked(&scene, 1, "w1").await;
    let living = linked(&scene, REPLICA, "w2").await;
    let mut safe = scene.command(at_s(1));
    safe.action = "cancel_task".to_owned();
    let safe = issue(&scene, safe).await.id;
    let unsafe_one = issue(&scene, scene.command(at_s(1))).await.id;
    let claim = scene.claim(dead, at_s(2));
    let claimed = store.claim_commands(claim).await.expect("claiming");
    assert_eq!(claimed.len(), 2);
    let on_living = issue(&scene, scene.command(at_s(3))).await.id;
    let claim = scene.claim(living, at_s(3));
    let _ = store.claim_commands(claim).await.expect("claiming");
    let mut told: Vec<_> = estate(bury(store, 1, 1).await)
        .commands
        .into_iter()
        .map(|row| (row.id, row.state))
        .collect();
    told.sort_by_key(|(id, _)| *id);
    assert_eq!(
        told,
        [
            (safe, CommandState::Pending),
            (unsafe_one, CommandState::Unknown)
        ]
    );
    assert_eq!(
        stored(&scene, on_living).await.state,
        CommandState::Dispatched
    );
    let again = store
        .claim_commands(scene.claim(living, at_s(11)))
        .await
        .expect("claiming");
    assert_eq!(again.iter().map(|row| row.id).collect::<Vec<_>>(), [safe]);
}

pub(super) async fn unknown_brain_opens_no_link(store: &dyn Store) {
    let scene = Scene::set(store).await;
    register(store, 1).await;
    let mut open = scene.link(at_s(1));
    open.replica = replica(1);
    let _ = estate(bury(store, 1, 1).await);
    let refused = store.open_link(open).await;
    assert_eq!(
        refused.expect_err("nobody would close it").kind(),
        StoreErrorKind::Fenced
    );
    assert!(shown(&scene, scene.agent).await.links.is_empty());
}

pub(super) async fn closed_link_is_handed_nothing(store: &dyn Store) {
    let scene = Scene::set(store).await;
    register(store, 1).await;
    let (closed, buried) = (scene.open_link().await, linked(&scene, 1, "w1").await);
    let id = issue(&scene, scene.command(at_s(1))).await.id;
    let close = CloseLink {
        link_id: closed,
        at: at_s(2),
    };
    let _ = store.close_links(vec![close]).await.expect("closing");
    let _ = estate(bury(store, 1, 1).await);
    let mut of_other = scene.link(at_s(1));
    of_other.agent_id = scene.second_agent;
    let foreign = of_other.link_id;
    store.open_link(of_other).await.expect("opening");
    for link in [closed, buried, foreign] {
        let claim = scene.claim(link, at_s(3));
        let claimed = store.claim_commands(claim).await.expect("claiming");
        assert!(claimed.is_empty(), "{link}");
    }
    assert_eq!(stored(&scene, id).await.state, CommandState::Pending);
}

pub(super) async fn link_says_what_its_process_can_do(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let web = scene.link(at_s(1));
    let mut worker = scene.link(at_s(2));
    worker.profile.engines = vec!["celery".to_owned(), "rq".to_owned()];
    let tokens = vec!["cancel_task".to_owned()];
    worker.profile.capabilities = BTreeMap::from([("rq".to_owned(), tokens)]);
    for open in [&worker, &web] {
        store.open_link(open.clone()).await.expect("opening");
    }
    let links = shown(&scene, scene.agent).await.links;
    let said: Vec<_> = links
        .into_iter()
        .map(|link| (link.id, link.engines, link.capabilities))
        .collect();
    let of = |open: &z4j_core::store::OpenLink| {
        let profile = open.profile.clone();
        (open.link_id, profile.engines, profile.capabilities)
    };
    assert_eq!(said, [of(&web), of(&worker)]);
}

pub(super) async fn owners_are_open_links(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let link = linked(&scene, REPLICA, "w1").await;
    let closed = linked(&scene, REPLICA, "w2").await;
    let close = CloseLink {
        link_id: closed,
        at: at_s(2),
    };
    let _ = store.close_links(vec![close]).await.expect("closing");
    let owners = store.worker_owners(scene.project).await.expect("owners");
    let owner = WorkerOwner {
        engine: ENGINE.to_owned(),
        name: "w1".to_owned(),
        link_id: link,
        replica: replica(REPLICA),
        started_at: Some(at_s(-100)),
    };
    assert_eq!(owners, [owner]);
    let other = store.worker_owners(scene.other_project).await;
    assert!(other.expect("owners").is_empty());
}
