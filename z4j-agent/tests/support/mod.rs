//! A brain on a loopback socket that does what a test tells it to.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "helpers of tests fail by panicking, and each test binary uses its own part of them"
)]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use z4j_agent::{Agent, AgentBuilder, AgentHandle, Credential, LinkState};
use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::wire::{
    EventBatchAck, FrameType, Hello, HelloAck, Received, SessionBinding, Signer, Verifier,
    decode_hello, encode_hello_ack,
};

pub const TOKEN: &str = "token-for-tests";
/// Longer than anything takes here; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Brain {
    listener: TcpListener,
    key: SecretKey,
    pub env: Env,
}

pub struct Greeted {
    pub socket: WebSocketStream<TcpStream>,
    pub hello: Hello,
}

pub struct BrainLink {
    socket: WebSocketStream<TcpStream>,
    pub signer: Signer,
    verifier: Verifier,
    env: Env,
    pub hello: Hello,
}

#[derive(Clone, Debug)]
pub struct AgentFrame {
    pub kind: FrameType,
    pub id: String,
    pub payload: Value,
}

pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("timed out: {what}"),
    }
}

impl Brain {
    pub async fn start() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            key: SecretKey::from_bytes(vec![9; 32]),
            env: Env::system(),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    pub fn agent(&self) -> AgentBuilder {
        let secret = self.key.to_hmac_secret();
        Agent::builder(
            self.url(),
            Credential::new(TOKEN, "default", secret.expose()),
        )
    }

    /// Takes the next socket and refuses it with an HTTP status.
    pub async fn refuse(&self, status: u16) {
        let (stream, _) = within("a connection", self.listener.accept())
            .await
            .unwrap();
        #[expect(clippy::result_large_err, reason = "the library's own callback type")]
        let refuse = |_: &Request, response: Response| -> Result<Response, ErrorResponse> {
            let mut refused = response.map(|()| None);
            *refused.status_mut() = status.try_into().unwrap();
            Err(refused)
        };
        assert!(
            tokio_tungstenite::accept_hdr_async(stream, refuse)
                .await
                .is_err()
        );
    }

    /// Takes the next socket, checks the token, reads the hello and does not answer yet.
    pub async fn greet(&self) -> Greeted {
        let (stream, _) = within("a connection", self.listener.accept())
            .await
            .unwrap();
        #[expect(clippy::result_large_err, reason = "the library's own callback type")]
        let check = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(
                request.uri().to_string(),
                "/ws/agent",
                "the token must not be in the URL"
            );
            assert_eq!(
                request.headers()["authorization"],
                format!("Bearer {TOKEN}")
            );
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, check)
            .await
            .unwrap();
        let first = within("a hello", socket.next()).await.unwrap().unwrap();
        assert!(first.is_binary());
        let (_, hello) = decode_hello(&first.into_data()).unwrap();
        Greeted { socket, hello }
    }

    /// Takes the next socket and answers its hello.
    pub async fn accept(&self) -> BrainLink {
        let Greeted { mut socket, hello } = self.greet().await;
        let ack = self.hello_ack("2");
        let binding = SessionBinding {
            agent_id: ack.agent_id.clone(),
            project_id: ack.project_id.clone(),
            session_id: ack.session_id.clone(),
        };
        socket
            .send(Message::binary(encode_hello_ack("h1", &ack).unwrap()))
            .await
            .unwrap();
        BrainLink {
            signer: Signer::new(&self.key, binding.clone(), self.env.clone()),
            verifier: Verifier::new(&self.key, binding),
            env: self.env.clone(),
            socket,
            hello,
        }
    }

    pub fn hello_ack(&self, protocol_version: &str) -> HelloAck {
        HelloAck {
            protocol_version: protocol_version.to_owned(),
            brain_version: String::new(),
            agent_id: "a".to_owned(),
            project_id: "p".to_owned(),
            session_id: format!("{:032x}", self.env.next_id()),
            heartbeat_interval_seconds: 1,
            max_frame_size_bytes: 1 << 20,
            stream: None,
        }
    }
}

impl Greeted {
    pub async fn close(mut self, code: u16) {
        close(&mut self.socket, code).await;
    }

    pub async fn answer(mut self, ack: &HelloAck) {
        self.socket
            .send(Message::binary(encode_hello_ack("h1", ack).unwrap()))
            .await
            .unwrap();
        let ended = within("the agent to leave", self.socket.next()).await;
        assert!(
            matches!(ended, Some(Ok(Message::Close(_))) | Some(Err(_)) | None),
            "{ended:?}"
        );
    }
}

async fn close(socket: &mut WebSocketStream<TcpStream>, code: u16) {
    let frame = CloseFrame {
        code: code.into(),
        reason: "".into(),
    };
    socket.send(Message::Close(Some(frame))).await.unwrap();
    while let Some(Ok(_)) = within("the end of the link", socket.next()).await {}
}

impl BrainLink {
    pub async fn send<T: Serialize>(&mut self, kind: FrameType, id: &str, payload: &T) {
        let frame = self.signer.sign(kind, id, payload).unwrap();
        self.send_raw(frame).await;
    }

    pub async fn send_raw(&mut self, frame: Vec<u8>) {
        self.socket.send(Message::binary(frame)).await.unwrap();
    }

    pub async fn command(&mut self, id: &str, action: &str, parameters: Value) {
        self.send(
            FrameType::Command,
            id,
            &json!({"action": action, "parameters": parameters}),
        )
        .await;
    }

    pub async fn acknowledge(&mut self, batch_id: &str) {
        let ack = EventBatchAck {
            acked_id: batch_id.to_owned(),
            ..EventBatchAck::default()
        };
        self.send(FrameType::EventBatchAck, "eba_1", &ack).await;
    }

    /// The next frame; `None` when the agent ended the link.
    pub async fn try_next(&mut self) -> Option<AgentFrame> {
        loop {
            let Some(Ok(message)) = within("a frame", self.socket.next()).await else {
                return None;
            };
            match message {
                Message::Binary(frame) => {
                    let verified = self
                        .verifier
                        .verify(&frame, Received::now(&self.env))
                        .unwrap();
                    return Some(AgentFrame {
                        kind: verified.kind,
                        id: verified.id.to_string(),
                        payload: verified.payload.decode_owned().unwrap(),
                    });
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// The next frame of this type; others are passed over.
    pub async fn next_of(&mut self, kind: FrameType) -> AgentFrame {
        loop {
            let frame = self.try_next().await.expect("the link must stay");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Acknowledges batches until an event satisfies `wanted`, and gives all events up to and with that batch.
    pub async fn events_until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let batch = self.next_of(FrameType::EventBatch).await;
            self.acknowledge(&batch.id).await;
            events.extend(batch.payload["events"].as_array().unwrap().clone());
            if events.iter().any(&wanted) {
                return events;
            }
        }
    }

    /// Reads until the agent ends the link; gives its close code.
    pub async fn until_closed(&mut self) -> Option<u16> {
        loop {
            match within("the end of the link", self.socket.next()).await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub async fn close(&mut self, code: u16) {
        close(&mut self.socket, code).await;
    }
}

pub async fn until_link(agent: &AgentHandle, wanted: impl Fn(LinkState) -> bool) {
    let mut states = agent.watch();
    within("a link state", states.wait_for(|state| wanted(state.link)))
        .await
        .unwrap();
}

/// Whether this is the event of `kind` about `task_id`.
pub fn is_event<'a>(kind: &'a str, task_id: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |event| event["kind"] == kind && event["task_id"] == task_id
}
