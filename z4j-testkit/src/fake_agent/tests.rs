//! The fake agent against a brain end on a loopback socket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use z4j_core::env::Env;
use z4j_core::id::{AgentId, LinkId, ProjectId};
use z4j_core::keys::SecretKey;
use z4j_core::session::{BrainInput, BrainSession, Grant};
use z4j_core::wire::{EventBatchAck, FrameType, Received, Refusal, Signer};

use super::*;

const WAIT: Duration = Duration::from_secs(10);

struct BrainEnd {
    socket: WebSocketStream<TcpStream>,
    session: BrainSession,
    signer: Signer,
    env: Env,
}

fn key() -> SecretKey {
    SecretKey::from_bytes(vec![3; 32])
}

async fn listen() -> (TcpListener, FakeAgentConfig) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = FakeAgentConfig::with_key(&url, "token", key()).unwrap();
    (listener, config)
}

async fn accept(listener: TcpListener) -> BrainEnd {
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let env = Env::system();
    let mut session = BrainSession::new(env.elapsed());
    let hello = socket.next().await.unwrap().unwrap().into_data();
    assert!(matches!(
        session.on_frame(&hello, Received::now(&env)),
        Ok(BrainInput::Hello(_))
    ));
    let grant = Grant::new(
        AgentId::from_u128(1),
        ProjectId::from_u128(2),
        LinkId::from_u128(3),
        key(),
    );
    let accepted = session.accept(&grant, &env).unwrap();
    socket
        .send(Message::binary(accepted.hello_ack))
        .await
        .unwrap();
    BrainEnd {
        socket,
        session,
        signer: accepted.signer,
        env,
    }
}

impl BrainEnd {
    /// The type and id of the next frame, or why it was refused; `None` when the link ended.
    async fn next(&mut self) -> Option<Result<(FrameType, String), Refusal>> {
        let message = self.socket.next().await?.ok().filter(Message::is_binary)?;
        let frame = message.into_data();
        Some(
            match self.session.on_frame(&frame, Received::now(&self.env)) {
                Ok(BrainInput::Frame(frame)) => Ok((frame.kind, frame.id.into_owned())),
                Ok(other) => panic!("{other:?}"),
                Err(close) => Err(close.refusal.expect("a refusal")),
            },
        )
    }
}

async fn connected() -> (FakeAgent, BrainEnd) {
    let (listener, config) = listen().await;
    let (agent, brain) = tokio::join!(FakeAgent::connect(config), accept(listener));
    (agent.unwrap(), brain)
}

#[tokio::test]
async fn events_acks_and_commands_pass_both_ways() {
    let (mut agent, mut brain) = connected().await;
    let batch = agent
        .send_events(&FakeTask::new("celery", "t", "n").succeeds())
        .await
        .unwrap();
    assert_eq!(
        brain.next().await,
        Some(Ok((FrameType::EventBatch, batch.clone())))
    );
    let ack = EventBatchAck {
        acked_id: batch.clone(),
        received: 3,
        accepted: 3,
        rejected: 0,
    };
    let command = json!({"action": "retry_task", "parameters": {"task_id": "t"}, "delivery_claim_token": "x"});
    let frames = [
        brain
            .signer
            .sign(FrameType::Command, "c1", &command)
            .unwrap(),
        brain
            .signer
            .sign(FrameType::EventBatchAck, "eba_1", &ack)
            .unwrap(),
    ];
    for frame in frames {
        brain.socket.send(Message::binary(frame)).await.unwrap();
    }
    assert_eq!(agent.wait_ack(&batch, WAIT).await.unwrap(), ack);
    let command = agent.wait_command(WAIT).await.unwrap();
    assert_eq!(
        (command.action.as_str(), &command.parameters["task_id"]),
        ("retry_task", &json!("t"))
    );
    agent.ack_command(&command).await.unwrap();
    agent
        .succeed_command(&command, &json!({"new_task_id": "t2"}))
        .await
        .unwrap();
    assert_eq!(
        brain.next().await,
        Some(Ok((FrameType::CommandAck, "c1".to_owned())))
    );
    assert_eq!(
        brain.next().await,
        Some(Ok((FrameType::CommandResult, "c1".to_owned())))
    );
}

#[tokio::test]
async fn spoiled_and_stale_and_replayed_frames_are_sent_as_told() {
    let (mut agent, mut brain) = connected().await;
    let frame = agent
        .sign_events("ev_1", &[FakeTask::new("celery", "t", "n").received()])
        .unwrap();
    agent.send_raw(spoil::mac(&frame)).await.unwrap();
    assert_eq!(brain.next().await, Some(Err(Refusal::Hmac)));

    let (mut agent, mut brain) = connected().await;
    agent.shift_clock(-120);
    agent.heartbeat().await.unwrap();
    assert!(
        matches!(brain.next().await, Some(Err(Refusal::Stale { skew_ms })) if skew_ms < -100_000)
    );

    let (mut agent, mut brain) = connected().await;
    let frame = agent.sign_events("ev_1", &[]).unwrap();
    agent.send_raw(frame.clone()).await.unwrap();
    agent.send_raw(frame).await.unwrap();
    assert!(brain.next().await.unwrap().is_ok());
    assert_eq!(brain.next().await, Some(Err(Refusal::Seq)));
}

#[tokio::test]
async fn a_cut_ends_the_stream_inside_a_frame_and_nothing_of_it_arrives() {
    let (mut agent, mut brain) = connected().await;
    agent.heartbeat().await.unwrap();
    assert!(brain.next().await.unwrap().is_ok());
    agent.cut_after_bytes(100);
    let events = FakeTask::new("celery", "t", "n").succeeds();
    // The write may fail or be buffered; either way the brain must see nothing but the end.
    let _written = agent.send_events(&events).await;
    let _again = agent.send_events(&events).await;
    assert_eq!(brain.next().await, None);
}

#[tokio::test]
async fn a_close_code_reaches_the_script_before_and_after_the_handshake() {
    let close = |code: u16| {
        Message::Close(Some(CloseFrame {
            code: code.into(),
            reason: "".into(),
        }))
    };
    let (listener, config) = listen().await;
    let refuse = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        socket.send(close(4401)).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    };
    let (refused, ()) = tokio::join!(FakeAgent::connect(config), refuse);
    assert_eq!(refused.unwrap_err().close_code(), Some(4401));

    let (mut agent, mut brain) = connected().await;
    brain.socket.send(close(4003)).await.unwrap();
    assert_eq!(agent.wait_close(WAIT).await.unwrap(), Some(4003));
}
