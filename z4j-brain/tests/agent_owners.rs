//! Which connection vouches for which worker, and what follows when it is not sure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;

use std::time::Duration;

use common::{WAIT, brain, event_count, eventually, sqlite};
use serde_json::{Map, Value, json};
use z4j_core::env::Env;
use z4j_core::store::{WorkerRow, WorkerState};
use z4j_core::time::Timestamp;
use z4j_core::wire::{Heartbeat, Hello};
use z4j_testkit::fake_agent::{FakeAgent, FakeTask};
use z4j_testkit::fixture::{TestBrain, TestBrainOptions};

async fn connect(brain: &TestBrain, name: &str, change: impl FnOnce(&mut Hello)) -> FakeAgent {
    let credentials = brain.mint(name).await.unwrap();
    let config = brain.config_of(&credentials).unwrap().with_hello(change);
    FakeAgent::connect(config).await.unwrap()
}

fn health<const N: usize>(pairs: [(&str, &str); N]) -> Heartbeat {
    Heartbeat {
        adapter_health: pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..Heartbeat::default()
    }
}

/// A heartbeat that describes workers by their process ids.
fn describes(nodes: &[(&str, u32)]) -> Heartbeat {
    let node = |(name, pid): &(&str, u32)| ((*name).to_owned(), json!({"stats": {"pid": pid}}));
    let nodes: Map<String, Value> = nodes.iter().map(node).collect();
    let details = Value::Object(nodes).to_string();
    health([
        ("celery.broker_type", "redis"),
        ("celery.worker_details", &details),
    ])
}

async fn worker(brain: &TestBrain, name: &str) -> Option<WorkerRow> {
    let workers = brain.store().workers(brain.project()).await.unwrap();
    workers.into_iter().find(|worker| worker.name == name)
}

async fn worker_is(brain: &TestBrain, name: &str, state: WorkerState) {
    eventually(name, || async {
        let found = worker(brain, name).await;
        found.filter(|worker| worker.state == state)
    })
    .await;
}

/// Reports a task that `worker` ran at `start`; how many of its events were taken as new.
async fn ran(agent: &mut FakeAgent, task_id: &str, worker: &str, start: Timestamp) -> u64 {
    let mut task = FakeTask::new("celery", task_id, "shop.charge").starting_at(start);
    task.worker = worker.to_owned();
    let batch = agent.send_events(&task.succeeds()).await.unwrap();
    let ack = agent.wait_ack(&batch, WAIT).await.unwrap();
    assert_eq!((ack.received, ack.accepted + ack.rejected), (3, 3));
    ack.accepted
}

async fn impatient_brain() -> (tempfile::TempDir, TestBrain) {
    let (directory, store) = sqlite();
    let options = TestBrainOptions::new().with_config(|config| {
        config.agents.heartbeat_interval = Duration::from_secs(1);
        config.agents.worker_silent_after = Duration::from_secs(1);
    });
    (
        directory,
        TestBrain::start_with(store, options).await.unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_id_that_two_workers_have_makes_neither_of_them_the_links_own() {
    let (_directory, brain) = brain().await;
    let mut agent = connect(&brain, "container", |hello| hello.worker_pid = Some(1)).await;
    agent
        .heartbeat_with(&describes(&[("w1@a", 1), ("own@a", 7)]))
        .await
        .unwrap();
    worker_is(&brain, "w1@a", WorkerState::Online).await;
    let mut other = connect(&brain, "own", |hello| hello.worker_pid = Some(7)).await;
    other
        .heartbeat_with(&describes(&[("w1@a", 1), ("own@a", 7)]))
        .await
        .unwrap();
    agent
        .heartbeat_with(&describes(&[("w1@a", 1), ("w2@b", 1), ("own@a", 7)]))
        .await
        .unwrap();
    worker_is(&brain, "w2@b", WorkerState::Online).await;
    agent.cut();
    other.cut();
    worker_is(&brain, "own@a", WorkerState::Offline).await;
    for name in ["w1@a", "w2@b"] {
        let seen = worker(&brain, name).await.unwrap();
        assert_eq!(seen.state, WorkerState::Online, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_worker_goes_offline_though_a_living_link_has_its_process_id() {
    let (_directory, brain) = impatient_brain().await;
    let mut agent = connect(&brain, "container", |hello| hello.worker_pid = Some(1)).await;
    agent
        .heartbeat_with(&describes(&[("dead@a", 1), ("left@a", 2)]))
        .await
        .unwrap();
    worker_is(&brain, "dead@a", WorkerState::Online).await;
    let offline = async {
        while worker(&brain, "dead@a").await.unwrap().state == WorkerState::Online {
            agent
                .heartbeat_with(&describes(&[("left@a", 2)]))
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    assert!(
        tokio::time::timeout(WAIT, offline).await.is_ok(),
        "a link that describes it no longer keeps it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sibling_tells_of_a_workers_dead_predecessor_is_stored() {
    let (_directory, brain) = brain().await;
    let now = Env::system().now();
    let before = now.minus(Duration::from_secs(120));
    let restarted_at = now.minus(Duration::from_secs(60));
    let mut owner = connect(&brain, "owner", |hello| {
        hello.worker_pid = Some(41);
        hello.worker_started_at = Some(restarted_at.to_string());
    })
    .await;
    owner
        .heartbeat_with(&describes(&[("w1@host", 41)]))
        .await
        .unwrap();
    worker_is(&brain, "w1@host", WorkerState::Online).await;
    let mut sibling = connect(&brain, "sibling", |hello| hello.worker_pid = Some(42)).await;
    assert_eq!(ran(&mut sibling, "adopted", "w1@host", before).await, 3);
    assert_eq!(event_count(&brain, "adopted").await, 3);
    assert_eq!(ran(&mut sibling, "echo", "w1@host", now).await, 0);
    assert_eq!(event_count(&brain, "echo").await, 0);
    assert_eq!(ran(&mut owner, "echo", "w1@host", now).await, 3);
    for (task_id, nonsense) in [
        ("in-2100", "2100-02-03T04:05:06.000007Z"),
        ("never", "half past nine"),
    ] {
        let mut told = FakeTask::new("celery", task_id, "shop.charge");
        told.worker = "w1@host".to_owned();
        let mut told = told.received();
        told.occurred_at = nonsense.to_owned();
        let batch = sibling.send_events(&[told]).await.unwrap();
        let ack = sibling.wait_ack(&batch, WAIT).await.unwrap();
        assert_eq!(ack.accepted, 1, "a time of {nonsense} proves nothing");
        assert_eq!(event_count(&brain, task_id).await, 1);
    }
}

/// The value of a counter as the metrics page shows it.
async fn counter(brain: &TestBrain, token: &str, name: &str) -> Option<u64> {
    let page = reqwest::Client::new()
        .get(format!("{}/metrics", brain.url()))
        .bearer_auth(token);
    let text = page.send().await.unwrap().text().await.unwrap();
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_hand_event_is_counted_as_such_and_not_as_quarantined() {
    let token = "metrics-token-of-a-test-0123456789";
    let (_directory, store) = sqlite();
    let options = TestBrainOptions::new()
        .with_config(|config| config.server.metrics_token = Some(token.into()));
    let brain = TestBrain::start_with(store, options).await.unwrap();
    let now = Env::system().now();
    let mut owner = connect(&brain, "owner", |hello| {
        hello.worker_pid = Some(41);
        hello.worker_started_at = Some(now.to_string());
    })
    .await;
    owner
        .heartbeat_with(&describes(&[("w1@host", 41)]))
        .await
        .unwrap();
    worker_is(&brain, "w1@host", WorkerState::Online).await;
    let mut sibling = connect(&brain, "sibling", |hello| hello.worker_pid = Some(42)).await;
    assert_eq!(ran(&mut sibling, "echo", "w1@host", now).await, 0);
    assert_eq!(ran(&mut owner, "echo", "w1@host", now).await, 3);
    eventually("the counters", || async {
        let stored = counter(&brain, token, "z4j_events_ingested_total").await;
        stored.filter(|stored| *stored == 3)
    })
    .await;
    let second_hand = counter(&brain, token, "z4j_events_second_hand_total").await;
    assert_eq!(second_hand, Some(3));
    let quarantined = counter(&brain, token, "z4j_events_quarantined_total").await;
    assert_eq!(quarantined.unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_does_not_say_when_it_started_silences_nobody() {
    let (_directory, brain) = brain().await;
    let mut owner = connect(&brain, "owner", |hello| hello.worker_pid = Some(41)).await;
    owner
        .heartbeat_with(&describes(&[("w1@host", 41)]))
        .await
        .unwrap();
    worker_is(&brain, "w1@host", WorkerState::Online).await;
    let mut sibling = connect(&brain, "sibling", |hello| hello.worker_pid = Some(42)).await;
    let now = Env::system().now();
    assert_eq!(ran(&mut sibling, "t", "w1@host", now).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_whose_health_check_failed_does_not_own_the_workers_that_it_names() {
    let (_directory, brain) = brain().await;
    let mut agent = connect(&brain, "watcher", |hello| hello.worker_pid = Some(41)).await;
    for beat in [
        health([("error", "provider timed out")]),
        health([("celery.error", "health check failed")]),
        health([
            ("celery.broker_type", "redis"),
            ("celery.broker_error", "cannot reach it"),
        ]),
        health([("rq.broker_type", "redis")]),
    ] {
        agent.heartbeat_with(&beat).await.unwrap();
    }
    let now = Env::system().now();
    ran(&mut agent, "named", "w9@elsewhere", now).await;
    let mut job = FakeTask::new("rq", "job-1", "shop.mail");
    job.worker = "rq-worker-1".to_owned();
    let batch = agent.send_events(&job.succeeds()).await.unwrap();
    agent.wait_ack(&batch, WAIT).await.unwrap();
    eventually("the process of the RQ worker", || async {
        let seen = worker(&brain, "rq-worker-1").await;
        seen.filter(|worker| worker.pid == Some(41))
    })
    .await;
    agent.cut();
    worker_is(&brain, "rq-worker-1", WorkerState::Offline).await;
    let named = worker(&brain, "w9@elsewhere").await.unwrap();
    assert_eq!((named.state, named.pid), (WorkerState::Online, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_comes_back_beside_its_own_half_dead_link_is_heard() {
    let (_directory, brain) = brain().await;
    let now = Env::system().now();
    let hello = |hello: &mut Hello| {
        hello.worker_pid = Some(41);
        hello.worker_started_at = Some(now.to_string());
    };
    // The network ate the first link: the brain does not know yet, and it still claims the worker.
    let mut half_dead = connect(&brain, "before", hello).await;
    half_dead
        .heartbeat_with(&describes(&[("w1@host", 41)]))
        .await
        .unwrap();
    worker_is(&brain, "w1@host", WorkerState::Online).await;
    let mut back = connect(&brain, "after", hello).await;
    assert_eq!(ran(&mut back, "t", "w1@host", now).await, 3);
    assert_eq!(event_count(&brain, "t").await, 3);
}
