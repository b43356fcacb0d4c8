//! A brain that dies five times while agents send shuffled and doubled frames stores every event exactly once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;

use std::sync::Arc;

use common::{WAIT, sqlite};
use tokio::sync::watch;
use z4j_brain::AgentCredentials;
use z4j_core::id::TaskKey;
use z4j_core::store::PageRequest;
use z4j_core::task::TaskState;
use z4j_testkit::fake_agent::{FakeAgent, FakeAgentConfig, FakeEvent, FakeTask, Incoming};
use z4j_testkit::fixture::TestBrain;

const AGENTS: usize = 4;
const TASKS_PER_AGENT: usize = 60;
const KILLS: u64 = 5;

/// The frames of one agent, one event each, in an order that has nothing to do with time.
fn shuffled_frames(agent: usize) -> Vec<(String, FakeEvent)> {
    let lives = (0..TASKS_PER_AGENT).flat_map(|task| {
        let task = FakeTask::new("celery", &format!("a{agent}-t{task}"), "shop.charge");
        if agent.is_multiple_of(2) {
            task.succeeds()
        } else {
            task.succeeds_after_retries(1)
        }
    });
    let mut frames: Vec<_> = lives
        .enumerate()
        .map(|(at, event)| (format!("ev_{agent}_{at}"), event))
        .collect();
    // A fixed permutation: the step is coprime to every length that is used.
    let length = frames.len();
    (0..length).for_each(|at| frames.swap(at, (at * 7919 + 13) % length));
    frames
}

/// Sends what is not acknowledged, every tenth frame twice, until all of it is or the link breaks.
async fn send_all(
    config: FakeAgentConfig,
    frames: &mut Vec<(String, FakeEvent)>,
    acked: &watch::Sender<u64>,
) {
    let Ok(mut agent) = FakeAgent::connect(config).await else {
        return;
    };
    for (at, (id, event)) in frames.clone().into_iter().enumerate() {
        for _ in 0..1 + usize::from(at.is_multiple_of(10)) {
            if agent
                .send_batch(id.as_str(), std::slice::from_ref(&event))
                .await
                .is_err()
            {
                return;
            }
        }
    }
    while !frames.is_empty() {
        match agent.recv(WAIT).await {
            Ok(Incoming::Ack(ack)) => {
                let before = frames.len();
                frames.retain(|(id, _)| *id != ack.acked_id);
                let fresh = before - frames.len();
                acked.send_modify(|count| *count += u64::try_from(fresh).unwrap());
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_stored_exactly_once_across_five_kills() {
    let (_directory, store) = sqlite();
    let mut brain = TestBrain::start(Arc::clone(&store)).await.unwrap();
    let mut minted: Vec<AgentCredentials> = Vec::new();
    for agent in 0..AGENTS {
        minted.push(brain.mint(&format!("agent-{agent}")).await.unwrap());
    }
    let frames: Vec<_> = (0..AGENTS).map(shuffled_frames).collect();
    let total: u64 = frames
        .iter()
        .map(|frames| u64::try_from(frames.len()).unwrap())
        .sum();
    let acked = watch::Sender::new(0_u64);
    let urls = watch::Sender::new(Some(brain.url().to_owned()));
    let mut agents = tokio::task::JoinSet::new();
    for (credentials, mut frames) in minted.into_iter().zip(frames.clone()) {
        let (acked, mut urls) = (acked.clone(), urls.subscribe());
        agents.spawn(async move {
            while !frames.is_empty() {
                let url = urls
                    .wait_for(Option::is_some)
                    .await
                    .unwrap()
                    .clone()
                    .unwrap();
                let token = secrecy::ExposeSecret::expose_secret(&credentials.token);
                let secret = secrecy::ExposeSecret::expose_secret(&credentials.hmac_secret);
                send_all(
                    FakeAgentConfig::new(&url, token, secret).unwrap(),
                    &mut frames,
                    &acked,
                )
                .await;
            }
        });
    }
    for kill in 1..=KILLS {
        let mut seen = acked.subscribe();
        seen.wait_for(|count| *count >= total * kill / (KILLS + 2))
            .await
            .unwrap();
        urls.send_replace(None);
        brain.kill();
        brain = TestBrain::start(Arc::clone(&store)).await.unwrap();
        urls.send_replace(Some(brain.url().to_owned()));
    }
    agents.join_all().await;
    assert_eq!(*acked.borrow(), total);
    check(&brain, &frames).await;
}

async fn check(brain: &TestBrain, frames: &[Vec<(String, FakeEvent)>]) {
    for agent in 0..AGENTS {
        let (events, retries) = if agent.is_multiple_of(2) {
            (3, 0)
        } else {
            (5, 1)
        };
        for task in 0..TASKS_PER_AGENT {
            let key = TaskKey::new("celery", format!("a{agent}-t{task}"));
            let stored = brain
                .store()
                .task(brain.project(), &key)
                .await
                .unwrap()
                .unwrap()
                .summary;
            assert_eq!(
                (stored.state, stored.retry_count),
                (TaskState::Success, retries),
                "{key:?}"
            );
            let page = PageRequest::first(100);
            let rows = brain
                .store()
                .task_events(brain.project(), &key, page)
                .await
                .unwrap()
                .items;
            assert_eq!(rows.len(), events, "{key:?}");
        }
    }
    assert!(frames.iter().all(|frames| !frames.is_empty()));
    let counts = brain.store().state_counts(brain.project()).await.unwrap();
    let succeeded = counts
        .iter()
        .find(|count| count.state == TaskState::Success)
        .unwrap();
    assert_eq!(
        succeeded.count,
        u64::try_from(AGENTS * TASKS_PER_AGENT).unwrap()
    );
    assert_eq!(
        counts.iter().filter(|count| count.count > 0).count(),
        1,
        "{counts:?}"
    );
}
