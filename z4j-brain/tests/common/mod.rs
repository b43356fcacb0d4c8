//! What the agent tests share.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

pub(crate) mod commands;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use z4j_brain::AgentCredentials;
use z4j_core::id::TaskKey;
use z4j_core::store::{AgentRow, PageRequest, Store, TaskDetail};
use z4j_store_sqlite::SqliteStore;
use z4j_testkit::fake_agent::{FakeAgent, FakeTask};
use z4j_testkit::fixture::{FaultyStore, TestBrain};

/// Longer than anything takes on a busy machine; a test that waits this long has failed.
pub(crate) const WAIT: Duration = Duration::from_secs(20);
/// How long to watch for something that must not come.
pub(crate) const QUIET: Duration = Duration::from_millis(300);

/// A fresh store on SQLite. The directory goes with the first value.
pub(crate) fn sqlite() -> (TempDir, Arc<dyn Store>) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    (directory, Arc::new(store))
}

/// An ordinary brain on a fresh store.
pub(crate) async fn brain() -> (TempDir, TestBrain) {
    let (directory, store) = sqlite();
    (directory, TestBrain::start(store).await.unwrap())
}

/// An ordinary brain on a store that fails on demand.
pub(crate) async fn faulty_brain() -> (TempDir, FaultyStore, TestBrain) {
    let (directory, store) = sqlite();
    let faulty = FaultyStore::new(store);
    let brain = TestBrain::start(faulty.store()).await.unwrap();
    (directory, faulty, brain)
}

/// A minted agent and one link of it.
pub(crate) async fn agent(brain: &TestBrain, name: &str) -> (AgentCredentials, FakeAgent) {
    let credentials = brain.mint(name).await.unwrap();
    let config = brain.config_of(&credentials).unwrap();
    (credentials, FakeAgent::connect(config).await.unwrap())
}

/// Asks again and again until there is an answer; panics when there is none for too long.
pub(crate) async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(WAIT, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("never: {what}"),
    }
}

/// The agent as its page shows it, once it is as wanted.
pub(crate) async fn agent_when(
    brain: &TestBrain,
    credentials: &AgentCredentials,
    what: &str,
    wanted: impl Fn(&AgentRow) -> bool,
) -> AgentRow {
    eventually(what, || async {
        let row = brain
            .store()
            .agent(brain.project(), credentials.agent_id)
            .await
            .unwrap();
        row.filter(&wanted)
    })
    .await
}

/// A stored task.
pub(crate) async fn task(brain: &TestBrain, task_id: &str) -> Option<TaskDetail> {
    let key = TaskKey::new("celery", task_id);
    brain.store().task(brain.project(), &key).await.unwrap()
}

/// How many events of a task are stored.
pub(crate) async fn event_count(brain: &TestBrain, task_id: &str) -> usize {
    let key = TaskKey::new("celery", task_id);
    let page = brain
        .store()
        .task_events(brain.project(), &key, PageRequest::first(100))
        .await;
    page.unwrap().items.len()
}

/// Proves that a link works: sends the life of a task and waits for its ack.
pub(crate) async fn works(agent: &mut FakeAgent, task_id: &str) {
    let events = FakeTask::new("celery", task_id, "shop.charge").succeeds();
    let batch = agent.send_events(&events).await.unwrap();
    let ack = agent.wait_ack(&batch, WAIT).await.unwrap();
    assert_eq!(
        (ack.received, ack.accepted, ack.rejected),
        (3, 3, 0),
        "task {task_id}"
    );
}

/// An answer of `/health/ready`.
pub(crate) async fn readiness(brain: &TestBrain) -> (u16, Value) {
    let answer = reqwest::get(format!("{}/health/ready", brain.url()))
        .await
        .unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}
