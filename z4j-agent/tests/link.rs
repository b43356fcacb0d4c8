//! The agent on a real socket: handshake, refusals, lost links, stopping.

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Brain, is_event, until_link, within};
use z4j_agent::engine::inproc::{InprocConfig, InprocEngine, JobSpec};
use z4j_agent::{Agent, BufferLimits, Credential, LinkState};
use z4j_core::session::FailureClass;
use z4j_core::transport::{Endpoint, Transport, TransportErrorKind};
use z4j_core::wire::FrameType;

fn engine() -> InprocEngine {
    let engine = InprocEngine::new(InprocConfig::default());
    engine.register("demo.ok", |job| async move { Ok(json!(job.args)) });
    engine
}

#[tokio::test]
async fn the_hello_says_what_the_engine_can_do_and_signs_of_life_follow() {
    let brain = Brain::start().await;
    let engine = engine();
    let _workers = engine.start();
    let agent = brain
        .agent()
        .with_engine(engine)
        .with_name("box-1")
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    assert_eq!(link.hello.engines, ["inproc"]);
    assert!(link.hello.has_capability("inproc", "retry_by_reference_v1"));
    assert!(link.hello.has_feature("retry_by_reference"));
    assert_eq!(link.hello.host.name.as_deref(), Some("box-1"));
    let beat = link.next_of(FrameType::Heartbeat).await;
    let health = &beat.payload["adapter_health"];
    assert_eq!(health["inproc.broker_connected"], "True");
    let workers = health["inproc.worker_details"].as_str().unwrap();
    let workers: serde_json::Value = serde_json::from_str(workers).unwrap();
    let (_, worker) = workers.as_object().unwrap().iter().next().unwrap();
    assert_eq!(worker["stats"]["pid"], link.hello.worker_pid.unwrap());
    assert_eq!(worker["stats"]["pool"]["max-concurrency"], 4);
    link.next_of(FrameType::AgentStatus).await;
    // The interval of this hello_ack is a second.
    link.next_of(FrameType::Heartbeat).await;
    until_link(&agent, |link| link == LinkState::Connected).await;
}

#[tokio::test]
async fn events_of_a_job_arrive_redacted_and_are_forgotten_once_acknowledged() {
    let brain = Brain::start().await;
    let engine = engine();
    let workers = engine.start();
    let agent = brain
        .agent()
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    let spec = JobSpec::new("demo.ok")
        .with_args([json!(1)])
        .with_kwarg("api_key", "hunter2");
    let task_id = engine.submit(spec).unwrap();
    let events = link
        .events_until(is_event("task.succeeded", &task_id))
        .await;
    let kinds: Vec<_> = events
        .iter()
        .filter(|event| event["task_id"] == task_id)
        .map(|event| &event["kind"])
        .collect();
    assert_eq!(kinds, ["task.received", "task.started", "task.succeeded"]);
    let received = events
        .iter()
        .find(|event| is_event("task.received", &task_id)(event))
        .unwrap();
    assert_eq!(received["data"]["args"], json!([1]));
    assert_eq!(received["data"]["kwargs"]["api_key"], "[REDACTED]");
    let mut states = agent.watch();
    within(
        "an empty buffer",
        states.wait_for(|state| state.buffered_events == 0),
    )
    .await
    .unwrap();
    workers.stop().await;
}

#[tokio::test]
async fn an_unacknowledged_batch_comes_again_with_its_id_when_the_link_is_cut() {
    let brain = Brain::start().await;
    let engine = engine();
    let _agent = brain
        .agent()
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    engine.submit(JobSpec::new("demo.ok")).unwrap();
    let first = link.next_of(FrameType::EventBatch).await;
    drop(link);
    let mut link = brain.accept().await;
    let again = link.next_of(FrameType::EventBatch).await;
    assert_eq!((again.id, again.payload), (first.id, first.payload));
}

#[tokio::test]
async fn refused_credentials_slow_the_agent_down() {
    for refusal in [4401, 4403] {
        let brain = Brain::start().await;
        let agent = brain.agent().with_engine(engine()).build().unwrap().spawn();
        brain.greet().await.close(refusal).await;
        until_link(&agent, |link| {
            link == LinkState::Waiting(Some(FailureClass::Auth))
        })
        .await;
    }
    let brain = Brain::start().await;
    let agent = brain.agent().with_engine(engine()).build().unwrap().spawn();
    brain.refuse(401).await;
    until_link(&agent, |link| {
        link == LinkState::Waiting(Some(FailureClass::Auth))
    })
    .await;
}

#[tokio::test]
async fn another_protocol_version_is_incompatible_and_a_busy_brain_is_not() {
    let brain = Brain::start().await;
    let agent = brain.agent().with_engine(engine()).build().unwrap().spawn();
    brain.greet().await.answer(&brain.hello_ack("3")).await;
    until_link(&agent, |link| {
        link == LinkState::Waiting(Some(FailureClass::Incompatible))
    })
    .await;

    let busy = Brain::start().await;
    let agent = busy.agent().with_engine(engine()).build().unwrap().spawn();
    busy.refuse(503).await;
    until_link(&agent, |link| {
        link == LinkState::Waiting(Some(FailureClass::Connection))
    })
    .await;
    // It comes back by itself.
    let _link = busy.accept().await;
    until_link(&agent, |link| link == LinkState::Connected).await;
}

#[tokio::test]
async fn a_tampered_command_ends_the_link_runs_nothing_and_the_agent_comes_back() {
    let brain = Brain::start().await;
    let engine = engine();
    let workers = engine.start();
    let task_id = engine.submit(JobSpec::new("demo.ok")).unwrap();
    let _agent = brain
        .agent()
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    link.events_until(is_event("task.succeeded", &task_id))
        .await;
    let command = json!({"action": "submit_task", "parameters": {"name": "demo.other"}});
    let frame = link
        .signer
        .sign(FrameType::Command, "c1", &command)
        .unwrap();
    let tampered = String::from_utf8(frame)
        .unwrap()
        .replace("demo.other", "demo.ok");
    link.send_raw(tampered.into_bytes()).await;
    while let Some(frame) = link.try_next().await {
        assert!(
            !matches!(frame.kind, FrameType::CommandAck | FrameType::CommandResult),
            "{frame:?}"
        );
    }
    let mut link = brain.accept().await;
    let other = engine.submit(JobSpec::new("demo.ok")).unwrap();
    let events = link.events_until(is_event("task.succeeded", &other)).await;
    let foreign = events
        .iter()
        .find(|event| !["", &task_id, &other].contains(&event["task_id"].as_str().unwrap()));
    assert!(foreign.is_none(), "{foreign:?}");
    workers.stop().await;
}

#[tokio::test]
async fn shutdown_waits_for_the_last_ack_and_closes_normally() {
    let brain = Brain::start().await;
    let engine = engine();
    let agent = brain
        .agent()
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    until_link(&agent, |link| link == LinkState::Connected).await;
    engine.submit(JobSpec::new("demo.ok")).unwrap();
    let stopping = tokio::spawn(agent.shutdown(Duration::from_secs(60)));
    let batch = link.next_of(FrameType::EventBatch).await;
    assert!(!stopping.is_finished());
    link.acknowledge(&batch.id).await;
    assert_eq!(link.until_closed().await, Some(1000));
    drop(link);
    let left = within("the shutdown", stopping).await.unwrap();
    assert_eq!(
        (left.link, left.buffered_events, left.lost_events),
        (LinkState::Stopped, 0, 0)
    );
}

#[tokio::test]
async fn shutdown_without_a_brain_ends_at_its_deadline_and_says_what_is_left() {
    let brain = Brain::start().await;
    let engine = engine();
    let agent = brain
        .agent()
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    engine.submit(JobSpec::new("demo.ok")).unwrap();
    let mut states = agent.watch();
    within(
        "a buffered event",
        states.wait_for(|state| state.buffered_events == 1),
    )
    .await
    .unwrap();
    let left = within("the shutdown", agent.shutdown(Duration::from_millis(50))).await;
    assert_eq!(left.buffered_events, 1);
}

#[tokio::test]
async fn dropping_the_handle_ends_the_agent() {
    let brain = Brain::start().await;
    let agent = brain.agent().with_engine(engine()).build().unwrap().spawn();
    let mut link = brain.accept().await;
    drop(agent);
    assert_eq!(link.until_closed().await, Some(1000));
}

#[test]
fn a_host_without_tokio_gets_a_thread_of_its_own() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let brain = runtime.block_on(Brain::start());
    let agent = brain.agent().with_engine(engine()).build().unwrap().spawn();
    runtime.block_on(async {
        let mut link = brain.accept().await;
        link.next_of(FrameType::Heartbeat).await;
        agent.shutdown(Duration::from_secs(5)).await;
    });
}

#[test]
fn every_bad_setting_is_reported_at_once() {
    let error = Agent::builder("http://brain.example", Credential::new("", "", "short"))
        .with_buffer(BufferLimits {
            events_max: 0,
            bytes_max: 0,
        })
        .with_name("")
        .build()
        .unwrap_err();
    assert_eq!(error.problems().len(), 8, "{error}");
    assert!(!error.to_string().contains("short"), "{error}");
    let remote = Agent::builder(
        "http://brain.example",
        Credential::new("t", "p", "A".repeat(44)),
    );
    assert!(
        remote
            .with_engine(engine())
            .allow_plain_text()
            .build()
            .is_ok()
    );
}

#[tokio::test]
async fn the_transport_itself_refuses_to_send_a_token_in_the_clear() {
    let transport = z4j_agent::transport::WsTransport::new(false);
    let refused = transport
        .dial(&Endpoint::new("http://192.0.2.1", "t"))
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), &TransportErrorKind::Forbidden);
}

#[tokio::test]
async fn a_brain_whose_tls_fails_is_an_error_and_not_a_panic() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let endpoint = Endpoint::new(url, "t");
    let transport = z4j_agent::transport::WsTransport::new(false);
    let hang_up = async { drop(listener.accept().await.unwrap()) };
    let (dialled, ()) = tokio::join!(transport.dial(&endpoint), hang_up);
    assert_eq!(
        dialled.unwrap_err().kind(),
        &TransportErrorKind::Unreachable
    );
}
