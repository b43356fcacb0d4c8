//! What a brain does with agents that do wrong: the close code of the protocol, the reason on the agent's page, and
//! nobody else is disturbed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;

use common::{WAIT, agent, agent_when, brain, event_count, task, works};
use serde_json::json;
use z4j_brain::AgentCredentials;
use z4j_core::task::TaskState;
use z4j_core::wire::FrameType;
use z4j_testkit::fake_agent::{FakeAgent, FakeAgentConfig, FakeAgentError, FakeTask, spoil};
use z4j_testkit::fixture::TestBrain;

/// A hello that is right but for what a test changes.
fn hello(version: &str, frame_version: u8) -> String {
    json!({
        "v": frame_version, "type": "hello", "id": "hello_1", "ts": null,
        "payload": {"protocol_version": version, "agent_version": "1.13.0", "framework": "bare"},
    })
    .to_string()
}

async fn shown(brain: &TestBrain, credentials: &AgentCredentials, code: &str) -> Option<i64> {
    let row = agent_when(brain, credentials, code, |row| {
        row.last_refusal
            .as_ref()
            .is_some_and(|refusal| refusal.code == code)
    })
    .await;
    assert!(row.refused_total >= 1);
    row.last_refusal.unwrap().skew_ms
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_belongs_to_no_agent_is_closed_with_4401() {
    let (_directory, brain) = brain().await;
    let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for token in [
        "unknown",
        "z4ja_mistyped",
        "z4ja_0000000000000000000000000000000000000000000000000",
    ] {
        let config = FakeAgentConfig::new(brain.url(), token, secret).unwrap();
        let error = FakeAgent::connect(config).await.unwrap_err();
        assert_eq!(error.close_code(), Some(4401), "{token}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_frame_that_is_no_hello_of_protocol_2_is_closed_as_the_protocol_says() {
    let (_directory, brain) = brain().await;
    let cases = [
        ("other protocol", hello("3", 2), 4426, "bad_version"),
        ("other frame version", hello("2", 3), 4400, "bad_version"),
        ("not json", "hello".to_owned(), 4400, "not_json"),
        (
            "not hello",
            r#"{"v":2,"type":"heartbeat","id":"hb_1","payload":{}}"#.to_owned(),
            4400,
            "bad_hello",
        ),
        (
            "unknown type",
            r#"{"v":2,"type":"greeting","id":"g_1","payload":{}}"#.to_owned(),
            4400,
            "bad_hello",
        ),
        (
            "no version",
            r#"{"v":2,"type":"hello","id":"h_1","payload":{}}"#.to_owned(),
            4400,
            "bad_hello",
        ),
    ];
    for (name, first, code, reason) in cases {
        let credentials = brain.mint(name).await.unwrap();
        let config = brain.config_of(&credentials).unwrap();
        let closed = FakeAgent::refused_first_frame(&config, first, WAIT)
            .await
            .unwrap();
        assert_eq!(closed, Some(code), "{name}");
        shown(&brain, &credentials, reason).await;
    }
}

/// A wrong that an agent can do on a live link, and what must come of it.
struct Wrong {
    name: &'static str,
    frames: fn(&mut FakeAgent) -> Vec<Vec<u8>>,
    code: u16,
    reason: &'static str,
}

const fn wrong(
    name: &'static str,
    frames: fn(&mut FakeAgent) -> Vec<Vec<u8>>,
    code: u16,
    reason: &'static str,
) -> Wrong {
    Wrong {
        name,
        frames,
        code,
        reason,
    }
}

fn beat(agent: &mut FakeAgent) -> Vec<u8> {
    let beat = agent.sign(FrameType::Heartbeat, "hb_1", &json!({}));
    beat.unwrap()
}

fn our_own_kind(agent: &mut FakeAgent) -> Vec<u8> {
    let ack = json!({"acked_id": "x"});
    agent.sign(FrameType::EventBatchAck, "eba_1", &ack).unwrap()
}

fn too_large(agent: &mut FakeAgent) -> Vec<u8> {
    let payload = spoil::oversize_payload(1 << 20);
    agent.sign(FrameType::EventBatch, "ev_1", &payload).unwrap()
}

const UNKNOWN_TYPE: &[u8] = br#"{"v":2,"type":"greeting","id":"g","ts":null,"payload":{}}"#;

const WRONGS: [Wrong; 7] = [
    wrong(
        "bad mac",
        |agent| vec![spoil::mac(&beat(agent))],
        4403,
        "bad_signature",
    ),
    wrong(
        "changed after signing",
        |agent| vec![spoil::member(&beat(agent), "/id", |id| *id = json!("hb_2"))],
        4403,
        "bad_signature",
    ),
    wrong(
        "replayed",
        |agent| vec![beat(agent); 2],
        4403,
        "bad_sequence",
    ),
    wrong(
        "unknown type",
        |_| vec![UNKNOWN_TYPE.to_vec()],
        1011,
        "unknown_frame_type",
    ),
    wrong("not json", |_| vec![b"{\"v\":2".to_vec()], 1011, "not_json"),
    wrong(
        "our own kind of frame",
        |agent| vec![our_own_kind(agent)],
        1011,
        "malformed_frame",
    ),
    wrong(
        "too large",
        |agent| vec![too_large(agent)],
        4400,
        "frame_too_large",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_frame_ends_its_own_link_only() {
    let (_directory, brain) = brain().await;
    let (_, mut bystander) = agent(&brain, "bystander").await;
    for Wrong {
        name,
        frames,
        code,
        reason,
    } in WRONGS
    {
        let (credentials, mut agent) = agent(&brain, name).await;
        for frame in frames(&mut agent) {
            agent.send_raw(frame).await.unwrap();
        }
        assert_eq!(agent.wait_close(WAIT).await.unwrap(), Some(code), "{name}");
        shown(&brain, &credentials, reason).await;
        works(&mut bystander, &format!("beside {name}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_far_above_the_limit_is_refused_before_it_is_read() {
    let (_directory, brain) = brain().await;
    let (credentials, mut agent) = agent(&brain, "far above").await;
    let payload = spoil::oversize_payload(3 << 20);
    let frame = agent.sign(FrameType::EventBatch, "ev_1", &payload).unwrap();
    // The brain may cut the connection while the rest is still being sent.
    let _sent = agent.send_raw(frame).await;
    shown(&brain, &credentials, "frame_too_large").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_by_more_than_a_minute_is_named_with_its_seconds() {
    let (_directory, brain) = brain().await;
    for (name, seconds) in [("behind", -75), ("ahead", 90)] {
        let (credentials, mut agent) = agent(&brain, name).await;
        agent.shift_clock(seconds);
        agent.heartbeat().await.unwrap();
        assert_eq!(
            agent.wait_close(WAIT).await.unwrap_or_default(),
            Some(4403),
            "{name}"
        );
        let skew_ms = shown(&brain, &credentials, "clock_skew").await.unwrap();
        let off = (skew_ms - seconds * 1000).abs();
        assert!(off < 5_000, "{name}: {skew_ms} ms");
    }
    let (_, mut agent) = agent(&brain, "within a minute").await;
    agent.shift_clock(-40);
    works(&mut agent, "40 s late").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_event_costs_itself_only_and_is_acknowledged() {
    let (_directory, brain) = brain().await;
    let (credentials, mut agent) = agent(&brain, "one bad event").await;
    let good = FakeTask::new("celery", "good", "shop.charge").succeeds();
    let events = json!({"events": [good[0].to_json(), "no object", good[1].to_json(), {"task_id": 7}, good[2].to_json()]});
    agent
        .send(FrameType::EventBatch, "ev_mixed", &events)
        .await
        .unwrap();
    let ack = agent.wait_ack("ev_mixed", WAIT).await.unwrap();
    assert_eq!((ack.received, ack.accepted, ack.rejected), (5, 3, 2));
    assert_eq!(
        task(&brain, "good").await.unwrap().summary.state,
        TaskState::Success
    );
    shown(&brain, &credentials, "malformed_event").await;
    agent
        .send(FrameType::EventBatch, "ev_mixed", &events)
        .await
        .unwrap();
    let again = agent.wait_ack("ev_mixed", WAIT).await.unwrap();
    assert_eq!((again.received, again.accepted), (5, 0));
    assert_eq!(event_count(&brain, "good").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_a_list_of_events_is_acknowledged_and_the_link_lives() {
    let (_directory, brain) = brain().await;
    let (_, mut agent) = agent(&brain, "no list").await;
    for (id, payload) in [
        ("ev_text", json!({"events": "none"})),
        ("ev_null", json!({"events": null})),
        ("ev_none", json!({})),
    ] {
        agent
            .send(FrameType::EventBatch, id, &payload)
            .await
            .unwrap();
        let ack = agent.wait_ack(id, WAIT).await.unwrap();
        assert_eq!(
            (ack.received, ack.accepted, ack.rejected),
            (0, 0, 0),
            "{id}"
        );
    }
    works(&mut agent, "afterwards").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_paths_lead_to_the_same_socket() {
    let (_directory, brain) = brain().await;
    let credentials = brain.mint("short path").await.unwrap();
    let config = brain
        .config_of(&credentials)
        .unwrap()
        .at_path("/ws")
        .unwrap();
    let mut agent = FakeAgent::connect(config).await.unwrap();
    works(&mut agent, "over the short path").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_not_let_onto_the_agent_socket() {
    let (_directory, brain) = brain().await;
    let credentials = brain.mint("browser").await.unwrap();
    let client = reqwest::Client::new();
    for (name, value) in [("origin", "https://evil.example"), ("cookie", "session=1")] {
        let token = secrecy::ExposeSecret::expose_secret(&credentials.token);
        let request = client
            .get(format!("{}/ws/agent", brain.url()))
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .bearer_auth(token)
            .header(name, value);
        assert_eq!(
            request.send().await.unwrap().status().as_u16(),
            403,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_links_of_one_token_are_closed_with_4429() {
    let (_directory, store) = common::sqlite();
    let options = z4j_testkit::fixture::TestBrainOptions::new();
    let options = options.with_config(|config| config.agents.links_per_agent_max = 2);
    let brain = TestBrain::start_with(store, options).await.unwrap();
    let credentials = brain.mint("many").await.unwrap();
    let connect = |slot: &'static str| {
        let config = brain.config_of(&credentials).unwrap().with_worker_id(slot);
        FakeAgent::connect(config)
    };
    let first = connect("a").await.unwrap();
    let _second = connect("b").await.unwrap();
    let third = connect("c").await.unwrap_err();
    assert_eq!(third.close_code(), Some(4429), "{third}");
    first.close().await;
    let retried = common::eventually("a place is free", || async {
        match connect("c").await {
            Err(FakeAgentError::Closed(Some(4429))) => None,
            other => Some(other),
        }
    });
    works(&mut retried.await.unwrap(), "in the free place").await;
}
