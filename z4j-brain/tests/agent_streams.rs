//! Agents that number their events: the brain answers where their stream goes on, and takes no hole.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;

use common::commands::{CANCEL, about, id_of, settled};
use common::{QUIET, WAIT, agent_when, brain, event_count, eventually, faulty_brain, task};
use serde_json::{Value, json};
use z4j_brain::AgentCredentials;
use z4j_core::id::StreamId;
use z4j_core::wire::FrameType;
use z4j_testkit::fake_agent::{FakeAgent, FakeEvent, FakeTask};
use z4j_testkit::fixture::{FaultPlan, TestBrain};

async fn connect(brain: &TestBrain, credentials: &AgentCredentials) -> FakeAgent {
    let config = brain.config_of(credentials).unwrap();
    let config = config.with_hello(|hello| hello.offer_stream(StreamId::from_u128(7)));
    FakeAgent::connect(config).await.unwrap()
}

fn position(agent: &FakeAgent) -> Option<u64> {
    agent.hello_ack().stream.map(|stream| stream.position)
}

fn payload(events: &[FakeEvent], stream: &Value) -> Value {
    let events: Vec<Value> = events.iter().map(FakeEvent::to_json).collect();
    json!({ "events": events, "stream": stream })
}

async fn send(agent: &mut FakeAgent, id: &str, payload: &Value) {
    agent
        .send(FrameType::EventBatch, id, payload)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_that_offers_no_stream_never_hears_of_one() {
    let (_directory, brain) = brain().await;
    let agent = brain.connect("plain").await.unwrap();
    assert_eq!(agent.hello_ack().stream, None);
    let told = serde_json::to_value(agent.hello_ack()).unwrap();
    assert!(told.get("stream").is_none(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_goes_on_where_the_store_is() {
    let (_directory, brain) = brain().await;
    let credentials = brain.mint("numbered").await.unwrap();
    let mut agent = connect(&brain, &credentials).await;
    assert_eq!(position(&agent), Some(0));
    let events = FakeTask::new("celery", "t", "shop.charge").succeeds();
    send(
        &mut agent,
        "ev_1",
        &payload(&events, &json!({ "first": 1 })),
    )
    .await;
    agent.wait_ack("ev_1", WAIT).await.unwrap();
    agent.cut();

    let mut back = connect(&brain, &credentials).await;
    assert_eq!(position(&back), Some(3));
    let more = FakeTask::new("celery", "u", "shop.charge").succeeds();
    let gap = json!({ "first": 6, "gaps": [{ "from": 4, "to": 5, "reason": "evicted" }] });
    send(&mut back, "ev_2", &payload(&more, &gap)).await;
    back.wait_ack("ev_2", WAIT).await.unwrap();
    back.cut();
    assert_eq!(position(&connect(&brain, &credentials).await), Some(8));
    assert_eq!(event_count(&brain, "u").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn hole_ends_the_link_and_stores_nothing() {
    let (_directory, brain) = brain().await;
    let credentials = brain.mint("holed").await.unwrap();
    let events = FakeTask::new("celery", "t", "shop.charge").succeeds();
    let wrong = [
        json!({ "first": 2 }),
        json!({ "first": 3, "gaps": [{ "from": 2, "to": 2, "reason": "evicted" }] }),
        json!({ "first": 0 }),
        json!({ "first": 2, "gaps": [{ "from": 1, "to": 2, "reason": "evicted" }] }),
        Value::Null,
    ];
    for (number, stream) in wrong.iter().enumerate() {
        let mut agent = connect(&brain, &credentials).await;
        assert_eq!(position(&agent), Some(0));
        send(
            &mut agent,
            &format!("ev_{number}"),
            &payload(&events, stream),
        )
        .await;
        assert_eq!(
            agent.wait_close(WAIT).await.unwrap(),
            Some(4400),
            "{stream}"
        );
    }
    assert!(task(&brain, "t").await.is_none());
    let row = agent_when(&brain, &credentials, "the refusals are shown", |row| {
        row.refused_total >= 5
    })
    .await;
    let code = row.last_refusal.unwrap().code;
    assert!(code.ends_with("_stream") || code == "stream_hole", "{code}");
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_sent_again_are_acknowledged_and_stored_once() {
    let (_directory, brain) = brain().await;
    let credentials = brain.mint("repeating").await.unwrap();
    let mut agent = connect(&brain, &credentials).await;
    let events = FakeTask::new("celery", "t", "shop.charge").succeeds();
    for id in ["ev_1", "ev_2"] {
        send(&mut agent, id, &payload(&events, &json!({ "first": 1 }))).await;
        agent.wait_ack(id, WAIT).await.unwrap();
    }
    assert_eq!(event_count(&brain, "t").await, 3);
    agent.cut();
    eventually("the stream stands at its end", || async {
        let again = connect(&brain, &credentials).await;
        (position(&again) == Some(3)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_goes_on_after_what_an_earlier_link_sent_and_is_not_stored_yet() {
    let (_directory, store, brain) = faulty_brain().await;
    let credentials = brain.mint("numbered").await.unwrap();
    let mut agent = connect(&brain, &credentials).await;
    let running = FakeTask::new("celery", "running", "shop.charge").received();
    let zeroth = payload(&[running], &json!({ "first": 1 }));
    send(&mut agent, "ev_0", &zeroth).await;
    agent.wait_ack("ev_0", WAIT).await.unwrap();
    let rest = brain.sign_in().await.unwrap();
    store.plan(FaultPlan::Stall);
    let events = FakeTask::new("celery", "t", "shop.charge").succeeds();
    let first = payload(&events, &json!({ "first": 2 }));
    tokio::join!(store.wait_attempts(1), send(&mut agent, "ev_1", &first));
    agent.cut();
    let mut back = Box::pin(connect(&brain, &credentials));
    let early = tokio::time::timeout(QUIET, &mut back).await;
    assert!(early.is_err(), "nobody knows yet");
    // It is not there for commands either: it may never be.
    let mut cancel = about("running");
    cancel["when"] = "next_connect".into();
    let id = id_of(&rest.post(CANCEL, &cancel).await.unwrap());
    tokio::time::timeout(QUIET, &mut back).await.unwrap_err();
    settled(&rest, &id, "pending").await;
    store.plan(FaultPlan::Sound);
    let mut back = back.await;
    assert_eq!(position(&back), Some(4));
    assert_eq!(back.wait_command(WAIT).await.unwrap().id, id);
}
