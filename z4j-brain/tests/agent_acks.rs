//! When a brain acknowledges: after the commit, and only then.
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
use std::time::Duration;

use common::{
    QUIET, WAIT, agent, agent_when, brain, event_count, eventually, faulty_brain, readiness, task,
    works,
};
use serde_json::json;
use z4j_brain::AgentCredentials;
use z4j_core::store::{StoreErrorKind, TaskDetail};
use z4j_core::task::TaskState;
use z4j_core::wire::{FrameType, Heartbeat};
use z4j_testkit::fake_agent::{FakeAgent, FakeAgentError, FakeTask, Incoming};
use z4j_testkit::fixture::{FaultPlan, FaultyStore, TestBrain};

fn is_quiet(result: Result<Incoming, FakeAgentError>) -> bool {
    matches!(result, Err(FakeAgentError::TimedOut(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_takes_nothing_gives_no_ack_until_it_is_mended() {
    let (_directory, store, brain) = faulty_brain().await;
    let (_, mut agent) = agent(&brain, "patient").await;
    store.plan(FaultPlan::Fail(StoreErrorKind::Full));
    let events = FakeTask::new("celery", "t", "shop.charge").succeeds();
    let batch = agent.send_events(&events).await.unwrap();
    store.wait_attempts(2).await;
    assert!(is_quiet(agent.recv(QUIET).await));
    let (status, body) = readiness(&brain).await;
    assert_eq!((status, &body["status"]), (503, &json!("not_ready")));
    assert!(
        body["reasons"][0].as_str().unwrap().contains("full"),
        "{body}"
    );
    assert!(task(&brain, "t").await.is_none());

    store.plan(FaultPlan::Sound);
    let ack = agent.wait_ack(&batch, WAIT).await.unwrap();
    assert_eq!((ack.received, ack.accepted), (3, 3));
    eventually("the brain is ready again", || async {
        (readiness(&brain).await.0 == 200).then_some(())
    })
    .await;
    assert_eq!(
        task(&brain, "t").await.unwrap().summary.state,
        TaskState::Success
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_written_once_and_acknowledged() {
    let (_directory, store, brain) = faulty_brain().await;
    let (_, mut agent) = agent(&brain, "unlucky").await;
    store.plan(FaultPlan::CommitThenFail);
    let events = FakeTask::new("celery", "t", "shop.charge").succeeds();
    let batch = agent.send_events(&events).await.unwrap();
    store.wait_attempts(2).await;
    store.plan(FaultPlan::Sound);
    agent.wait_ack(&batch, WAIT).await.unwrap();
    assert_eq!(event_count(&brain, "t").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_store_refuses_does_not_cost_its_neighbours() {
    let (_directory, store, brain) = faulty_brain().await;
    let (credentials, mut one) = agent(&brain, "one").await;
    let (_, mut other) = agent(&brain, "other").await;
    store.plan(FaultPlan::RefuseTask("cursed".to_owned()));
    let life = |id: &str| FakeTask::new("celery", id, "shop.charge").succeeds();
    let mixed = [life("before"), life("cursed"), life("after")].concat();
    let batch = one.send_events(&mixed).await.unwrap();
    works(&mut other, "elsewhere").await;
    let ack = one.wait_ack(&batch, WAIT).await.unwrap();
    assert_eq!((ack.received, ack.accepted, ack.rejected), (9, 6, 3));
    for id in ["before", "after", "elsewhere"] {
        assert_eq!(
            task(&brain, id).await.unwrap().summary.state,
            TaskState::Success,
            "{id}"
        );
    }
    assert!(task(&brain, "cursed").await.is_none());
    assert_eq!(readiness(&brain).await.0, 200);
    agent_when(&brain, &credentials, "the refusal is shown", |row| {
        row.refused_total >= 3
    })
    .await;
}

async fn receive(agent: &mut FakeAgent, number: usize) -> String {
    let task = FakeTask::new("celery", &format!("t{number}"), "shop.charge");
    agent.send_events(&[task.received()]).await.unwrap()
}

/// Sends eight frames of an event each. The first is being written; the others wait behind it, to be written together.
async fn eight_wait(
    store: &FaultyStore,
    (brain, credentials): (&TestBrain, &AgentCredentials),
    agent: &mut FakeAgent,
) -> Vec<String> {
    store.plan(FaultPlan::Stall);
    let ((), first) = tokio::join!(store.wait_attempts(1), receive(agent, 0));
    let mut waiting = vec![first];
    for number in 1..8 {
        waiting.push(receive(agent, number).await);
    }
    agent.heartbeat_with(&beat_of(776)).await.unwrap();
    agent_when(brain, credentials, "all are read", |row| {
        row.buffer_entries == Some(776)
    })
    .await;
    waiting
}

async fn all_are_stored(brain: &TestBrain, agent: &mut FakeAgent, waiting: &[String]) {
    for batch in waiting {
        agent.wait_ack(batch, WAIT).await.unwrap();
    }
    for number in 0..8 {
        assert_eq!(event_count(brain, &format!("t{number}")).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_one_write_is_written_in_several() {
    let (_directory, store, brain) = faulty_brain().await;
    let (credentials, mut agent) = agent(&brain, "many").await;
    let waiting = eight_wait(&store, (&brain, &credentials), &mut agent).await;
    store.plan(FaultPlan::TooMany(2, StoreErrorKind::Unavailable));
    all_are_stored(&brain, &mut agent, &waiting).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_not_called_sound_because_a_few_events_would_fit() {
    let (_directory, store, brain) = faulty_brain().await;
    let (credentials, mut agent) = agent(&brain, "many").await;
    let waiting = eight_wait(&store, (&brain, &credentials), &mut agent).await;
    store.plan(FaultPlan::TooMany(2, StoreErrorKind::Full));
    agent.wait_ack(&waiting[0], WAIT).await.unwrap();
    // More than it takes to divide what only ran out of time.
    store.wait_attempts(5).await;
    assert_eq!(readiness(&brain).await.0, 503);
    assert!(is_quiet(agent.recv(QUIET).await));
    store.plan(FaultPlan::Sound);
    all_are_stored(&brain, &mut agent, &waiting[1..]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_any_order_and_any_number_end_in_the_same_task() {
    let (_directory, brain) = brain().await;
    let (_, mut one) = agent(&brain, "one").await;
    let (_, mut other) = agent(&brain, "other").await;
    let events = FakeTask::new("celery", "t", "shop.charge").succeeds_after_retries(2);
    for event in events.iter().rev() {
        let batch = one.send_events(std::slice::from_ref(event)).await.unwrap();
        one.wait_ack(&batch, WAIT).await.unwrap();
    }
    let batch = other.send_events(&events).await.unwrap();
    let ack = other.wait_ack(&batch, WAIT).await.unwrap();
    assert_eq!((ack.received, ack.accepted, ack.rejected), (7, 0, 7));
    let stored = task(&brain, "t").await.unwrap().summary;
    assert_eq!((stored.state, stored.retry_count), (TaskState::Success, 2));
    assert_eq!(event_count(&brain, "t").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_link_of_the_same_process_replaces_the_older_one() {
    let (_directory, brain) = brain().await;
    let credentials = brain.mint("process").await.unwrap();
    let connect = |slot: &'static str| {
        let config = brain.config_of(&credentials).unwrap().with_worker_id(slot);
        FakeAgent::connect(config)
    };
    let mut older = connect("web-1-1").await.unwrap();
    let mut sibling = connect("web-2-1").await.unwrap();
    let mut newer = connect("web-1-1").await.unwrap();
    assert_eq!(older.wait_close(WAIT).await.unwrap(), Some(4002));
    works(&mut newer, "newer").await;
    works(&mut sibling, "sibling").await;
    let row = agent_when(&brain, &credentials, "two links", |row| {
        row.links.len() == 2
    })
    .await;
    assert!(row.revoked_at.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_is_out_within_a_second() {
    let (_directory, brain) = brain().await;
    let (credentials, mut agent) = agent(&brain, "leaver").await;
    works(&mut agent, "before").await;
    let operator = brain.brain().operator();
    operator
        .revoke_agent("default", &credentials.agent_id.to_string())
        .await
        .unwrap();
    // A second by the rule (I-25), and time for a busy machine.
    let closed = agent.wait_close(Duration::from_secs(3)).await.unwrap();
    assert_eq!(closed, Some(4003));
    let config = brain.config_of(&credentials).unwrap();
    let error = FakeAgent::connect(config).await.unwrap_err();
    assert_eq!(error.close_code(), Some(4401), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_stops_acknowledges_what_it_read_and_says_1001() {
    let (_directory, brain) = brain().await;
    let (_, mut agent) = agent(&brain, "last words").await;
    let mut batches = Vec::new();
    for number in 0..50 {
        let task = FakeTask::new("celery", &format!("t{number}"), "shop.charge");
        batches.push(agent.send_events(&task.succeeds()).await.unwrap());
    }
    agent.wait_ack(&batches[0], WAIT).await.unwrap();
    let store = Arc::clone(brain.store());
    let project = brain.project();
    brain.stop().await.unwrap();
    assert_eq!(agent.wait_close(WAIT).await.unwrap(), Some(1001));
    for (number, batch) in batches.iter().enumerate().skip(1) {
        let acked = agent.wait_ack(batch, Duration::ZERO).await.is_ok();
        let key = z4j_core::id::TaskKey::new("celery", format!("t{number}"));
        let stored = store.task(project, &key).await.unwrap().is_some();
        assert!(
            stored || !acked,
            "task {number} was acknowledged and is not stored"
        );
    }
}

/// Sends many small frames and waits for all of their acks.
async fn flood(mut agent: FakeAgent, frames: usize) {
    for number in 0..frames {
        let event = json!({"events": [{
            "id": "", "kind": "task.received", "engine": "celery", "task_id": format!("flood-{number}"),
            "occurred_at": "2026-01-01T00:00:00Z", "data": {},
        }]});
        let id = format!("ev_{number}");
        agent
            .send(FrameType::EventBatch, &id, &event)
            .await
            .unwrap();
    }
    agent.heartbeat_with(&beat_of(777)).await.unwrap();
    let mut acked = 0;
    while acked < frames {
        let incoming = agent.recv(WAIT).await.unwrap();
        acked += usize::from(matches!(incoming, Incoming::Ack(_)));
    }
}

/// A heartbeat that can be told from others.
fn beat_of(buffer_size: u64) -> Heartbeat {
    Heartbeat {
        buffer_size,
        ..Heartbeat::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_agent_that_floods_does_not_hold_up_the_acks_of_another() {
    const FRAMES: usize = 6_000;
    let (_directory, store, brain) = faulty_brain().await;
    let (flooder, noisy) = agent(&brain, "noisy").await;
    let (bystander, mut quiet) = agent(&brain, "quiet").await;
    store.plan(FaultPlan::Stall);
    let flooding = tokio::spawn(flood(noisy, FRAMES));
    // Heartbeats pass although no commit does, and each was sent after the frames: all of them have been read.
    agent_when(&brain, &flooder, "the flood is read", |row| {
        row.buffer_entries == Some(777)
    })
    .await;
    let small = FakeTask::new("celery", "small", "shop.charge").succeeds();
    let batch = quiet.send_events(&small).await.unwrap();
    quiet.heartbeat_with(&beat_of(778)).await.unwrap();
    agent_when(&brain, &bystander, "the small frame is read", |row| {
        row.buffer_entries == Some(778)
    })
    .await;
    store.plan(FaultPlan::Sound);
    quiet.wait_ack(&batch, WAIT).await.unwrap();
    flooding.await.unwrap();
    // What one commit took in carries one time.
    let taken_in = |task: TaskDetail| task.summary.created_at;
    let small = taken_in(task(&brain, "small").await.unwrap());
    let last = taken_in(
        task(&brain, &format!("flood-{}", FRAMES - 1))
            .await
            .unwrap(),
    );
    assert!(
        small < last,
        "the small frame had to wait for the whole flood"
    );
}
