//! The promise of the ingest path, on the real binary: an acknowledged event is stored once, whatever kills the brain.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test measures real processes and stops at the first fault"
)]

#[path = "../support/brain.rs"]
mod brain;
#[path = "../support/fleet.rs"]
mod fleet;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use z4j_store_sqlite::SqliteStore;
use z4j_testkit::fake_agent::FakeAgentConfig;

use crate::brain::{Brain, run};
use crate::fleet::{Expected, Plan};

const KILLS: usize = 5;
const AGENTS: usize = 4;
const TASKS_PER_AGENT: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_stored_once_although_the_brain_is_killed_five_times() {
    let folder = tempfile::tempdir().unwrap();
    let mut brain = Brain::start(folder.path());
    let plans: Vec<Plan> = (0..AGENTS)
        .map(|index| {
            Plan::new(
                index,
                TASKS_PER_AGENT,
                vec![mint(folder.path(), brain.port, &format!("agent-{index}"))],
            )
        })
        .collect();
    let expected: Vec<Expected> = plans.iter().flat_map(Plan::expected).collect();
    let frames: usize = plans.iter().map(Plan::frames).sum();

    let acked = Arc::new(AtomicUsize::new(0));
    let streams: Vec<_> = plans
        .into_iter()
        .map(|plan| tokio::spawn(fleet::stream(plan, Arc::clone(&acked))))
        .collect();
    for kill in 1..=KILLS {
        wait_until_acked(&acked, frames * kill / (KILLS + 1)).await;
        let port = brain.port;
        brain.kill();
        brain = Brain::start_on(folder.path(), port);
    }
    for stream in streams {
        stream.await.expect("no stream may panic");
    }
    assert_eq!(
        acked.load(Ordering::Acquire),
        frames,
        "each frame is acknowledged"
    );
    brain.kill();
    // The file itself, so that no cache of a running brain can hide a loss.
    let store = SqliteStore::in_dir(folder.path()).unwrap();
    fleet::check(&store, &expected).await;
}

/// A credential, made by the operator's command beside the running brain.
fn mint(folder: &std::path::Path, port: u16, name: &str) -> FakeAgentConfig {
    let output = run(
        folder,
        &[
            "agent",
            "mint",
            "--project",
            "default",
            "--name",
            name,
            "--json",
        ],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let minted: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |member: &str| minted[member].as_str().unwrap();
    FakeAgentConfig::new(
        &format!("http://127.0.0.1:{port}"),
        text("token"),
        text("hmac_secret"),
    )
    .unwrap()
    .with_worker_id(name)
}

async fn wait_until_acked(acked: &AtomicUsize, target: usize) {
    let reached = async {
        while acked.load(Ordering::Acquire) < target {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), reached)
        .await
        .expect("the brain must go on acknowledging");
}
