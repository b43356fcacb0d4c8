//! The agent itself: a handshake, then both halves under one hand.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http::header::AUTHORIZATION;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use z4j_core::env::Env;
use z4j_core::limits;
use z4j_core::wire::{
    self, AgentStatus, CommandStatus, ErrorFrame, EventBatchAck, FrameType, Heartbeat, HelloAck,
    SessionBinding, SignError, Signer, Verifier,
};

use super::clock::ShiftedClock;
use super::cut::{CutStream, Cutter};
use super::halves::{Socket, next_frame};
use super::{
    FakeAgentConfig, FakeAgentError, FakeCommand, FakeEvent, FakeReceiver, FakeSender, Incoming,
};

/// Frames above any brain's limit can be signed up to this size, in bytes.
const SIGN_BYTES_MAX: usize = 64 << 20;

/// A connected agent.
#[derive(Debug)]
pub struct FakeAgent {
    sender: FakeSender,
    receiver: FakeReceiver,
    hello_ack: HelloAck,
    clock: Arc<ShiftedClock>,
    cutter: Cutter,
}

impl FakeAgent {
    /// Connects, says hello and waits for the answer.
    ///
    /// # Errors
    /// [`FakeAgentError::Refused`] for an HTTP status, [`FakeAgentError::Closed`] with the code of a brain that does
    /// not want this agent, [`FakeAgentError::TimedOut`] after ten seconds.
    pub async fn connect(config: FakeAgentConfig) -> Result<Self, FakeAgentError> {
        let (clock, env) = ShiftedClock::env();
        let hello = wire::encode_hello(&wire::new_frame_id(FrameType::Hello, &env), &config.hello);
        let hello = hello.map_err(FakeAgentError::socket)?;
        let (mut sender, mut receiver, cutter) = Self::dial(&config, &env, unbound()).await?;
        // A brain that refuses the agent may close before it reads; its close code says more than the failed write.
        let sent = sender.send_raw(hello).await;
        let first = next_frame(&mut receiver.stream, limits::HELLO_WAIT, "hello_ack").await?;
        sent?;
        let hello_ack = wire::decode_hello_ack(&first)?;
        let binding = SessionBinding {
            agent_id: hello_ack.agent_id.clone(),
            project_id: hello_ack.project_id.clone(),
            session_id: hello_ack.session_id.clone(),
        };
        sender.signer =
            Signer::new(&config.key, binding.clone(), env).with_frame_bytes_max(SIGN_BYTES_MAX);
        receiver.verifier = Verifier::new(&config.key, binding);
        Ok(Self {
            sender,
            receiver,
            hello_ack,
            clock,
            cutter,
        })
    }

    /// Connects, sends `first` instead of a hello and waits for what the brain makes of it: the close code.
    ///
    /// # Errors
    /// As [`FakeAgent::connect`].
    pub async fn refused_first_frame(
        config: &FakeAgentConfig,
        first: impl Into<Vec<u8>> + Send,
        wait: Duration,
    ) -> Result<Option<u16>, FakeAgentError> {
        let (_, env) = ShiftedClock::env();
        let (mut sender, mut receiver, _) = Self::dial(config, &env, unbound()).await?;
        sender.send_raw(first).await?;
        match next_frame(&mut receiver.stream, wait, "the end of the link").await {
            Err(FakeAgentError::Closed(code)) => Ok(code),
            Err(error) => Err(error),
            Ok(frame) => Err(FakeAgentError::Unexpected {
                expected: "the end of the link",
                got: String::from_utf8_lossy(&frame).into_owned(),
            }),
        }
    }

    async fn dial(
        config: &FakeAgentConfig,
        env: &Env,
        binding: SessionBinding,
    ) -> Result<(FakeSender, FakeReceiver, Cutter), FakeAgentError> {
        let tcp = TcpStream::connect(&config.authority)
            .await
            .map_err(FakeAgentError::socket)?;
        tcp.set_nodelay(true).map_err(FakeAgentError::socket)?;
        let cutter = Cutter::new(config.cut_after_bytes);
        let stream = CutStream::new(tcp, cutter.clone());
        let request = ClientRequestBuilder::new(config.uri.clone())
            .with_header(AUTHORIZATION.as_str(), format!("Bearer {}", config.token));
        // A peer that takes the connection and says nothing is a fault of its own.
        let upgrade = tokio_tungstenite::client_async(request, stream);
        let upgraded = tokio::time::timeout(limits::HELLO_WAIT, upgrade).await;
        let upgraded = upgraded.map_err(|_| FakeAgentError::TimedOut("the upgrade"))?;
        let (socket, _): (Socket, _) = upgraded.map_err(|error| match error {
            SocketError::Http(response) => FakeAgentError::Refused(response.status().as_u16()),
            other => FakeAgentError::socket(other),
        })?;
        let (sink, stream) = socket.split();
        let sender = FakeSender {
            sink,
            signer: Signer::new(&config.key, binding.clone(), env.clone()),
            env: env.clone(),
        };
        let receiver = FakeReceiver {
            stream,
            verifier: Verifier::new(&config.key, binding),
            env: env.clone(),
            held: VecDeque::new(),
        };
        Ok((sender, receiver, cutter))
    }

    /// What the brain answered to the hello.
    #[must_use]
    pub const fn hello_ack(&self) -> &HelloAck {
        &self.hello_ack
    }

    /// Sends and receives apart from each other.
    #[must_use]
    pub fn split(self) -> (FakeSender, FakeReceiver) {
        (self.sender, self.receiver)
    }

    /// Sets the agent's clock off by this many seconds: later frames carry that time, and received ones are judged by it.
    pub fn shift_clock(&self, seconds: i64) {
        self.clock.shift(seconds.saturating_mul(1_000_000));
    }

    /// Drops the TCP stream, without a close frame, once this many more bytes were written.
    pub fn cut_after_bytes(&self, bytes: u64) {
        self.cutter.cut_after(bytes);
    }

    /// Drops the TCP stream now, without a close frame.
    pub fn cut(self) {
        drop(self);
    }

    /// Closes with code 1000 and waits for the brain to do the same.
    pub async fn close(mut self) {
        if self.sender.close(1000).await.is_ok() {
            // An error here means that the link ended, which is what was asked for.
            let _ended = self.receiver.wait_close(limits::HELLO_WAIT).await;
        }
    }

    /// As [`FakeSender::sign`].
    ///
    /// # Errors
    /// [`SignError`] when the payload cannot be signed.
    pub fn sign<T: Serialize + ?Sized>(
        &mut self,
        kind: FrameType,
        id: &str,
        payload: &T,
    ) -> Result<Vec<u8>, SignError> {
        self.sender.sign(kind, id, payload)
    }

    /// Signs an event_batch without sending it.
    ///
    /// # Errors
    /// [`SignError`] when the events cannot be signed.
    pub fn sign_events(&mut self, id: &str, events: &[FakeEvent]) -> Result<Vec<u8>, SignError> {
        let events: Vec<Value> = events.iter().map(FakeEvent::to_json).collect();
        self.sign(FrameType::EventBatch, id, &json!({ "events": events }))
    }

    /// As [`FakeSender::send_raw`].
    ///
    /// # Errors
    /// [`FakeAgentError`] when the link is gone.
    pub async fn send_raw(
        &mut self,
        frame: impl Into<Vec<u8>> + Send,
    ) -> Result<(), FakeAgentError> {
        self.sender.send_raw(frame).await
    }

    /// As [`FakeSender::send_text`].
    ///
    /// # Errors
    /// [`FakeAgentError`] when the link is gone.
    pub async fn send_text(&mut self, text: &str) -> Result<(), FakeAgentError> {
        self.sender.send_text(text).await
    }

    /// As [`FakeSender::send`].
    ///
    /// # Errors
    /// [`FakeAgentError`] when the frame cannot be made or the link is gone.
    pub async fn send<T>(
        &mut self,
        kind: FrameType,
        id: &str,
        payload: &T,
    ) -> Result<(), FakeAgentError>
    where
        T: Serialize + Sync + ?Sized,
    {
        self.sender.send(kind, id, payload).await
    }

    /// As [`FakeSender::send_events`].
    ///
    /// # Errors
    /// As [`FakeAgent::send`].
    pub async fn send_events(&mut self, events: &[FakeEvent]) -> Result<String, FakeAgentError> {
        self.sender.send_events(events).await
    }

    /// As [`FakeSender::send_batch`].
    ///
    /// # Errors
    /// As [`FakeAgent::send`].
    pub async fn send_batch(
        &mut self,
        id: &str,
        events: &[FakeEvent],
    ) -> Result<(), FakeAgentError> {
        self.sender.send_batch(id, events).await
    }

    /// Sends a heartbeat that says nothing but that the agent is alive.
    ///
    /// # Errors
    /// As [`FakeAgent::send`].
    pub async fn heartbeat(&mut self) -> Result<(), FakeAgentError> {
        self.heartbeat_with(&Heartbeat::default()).await
    }

    /// Sends a heartbeat.
    ///
    /// # Errors
    /// As [`FakeAgent::send`].
    pub async fn heartbeat_with(&mut self, heartbeat: &Heartbeat) -> Result<(), FakeAgentError> {
        let id = wire::new_frame_id(FrameType::Heartbeat, &self.sender.env);
        self.send(FrameType::Heartbeat, &id, heartbeat).await
    }

    /// Sends an agent_status.
    ///
    /// # Errors
    /// As [`FakeAgent::send`].
    pub async fn status(&mut self, status: &AgentStatus) -> Result<(), FakeAgentError> {
        let id = wire::new_frame_id(FrameType::AgentStatus, &self.sender.env);
        self.send(FrameType::AgentStatus, &id, status).await
    }

    /// Says that a command arrived.
    ///
    /// # Errors
    /// As [`FakeAgent::send`].
    pub async fn ack_command(&mut self, command: &FakeCommand) -> Result<(), FakeAgentError> {
        let payload = json!({"delivery_claim_token": command.delivery_claim_token});
        self.send(FrameType::CommandAck, &command.id, &payload)
            .await
    }

    /// Says that a command was done.
    ///
    /// # Errors
    /// As [`FakeAgent::send`].
    pub async fn succeed_command(
        &mut self,
        command: &FakeCommand,
        result: &Value,
    ) -> Result<(), FakeAgentError> {
        self.answer(command, CommandStatus::Success, result, None)
            .await
    }

    /// Says that a command was not done, and why.
    ///
    /// # Errors
    /// As [`FakeAgent::send`].
    pub async fn fail_command(
        &mut self,
        command: &FakeCommand,
        error: &str,
    ) -> Result<(), FakeAgentError> {
        self.answer(command, CommandStatus::Failed, &Value::Null, Some(error))
            .await
    }

    /// Says that nobody knows whether a command was done.
    ///
    /// # Errors
    /// As [`FakeAgent::send`].
    pub async fn lose_command(&mut self, command: &FakeCommand) -> Result<(), FakeAgentError> {
        let result = json!({"indeterminate": true, "operation": command.action});
        let error = format!(
            "{} INDETERMINATE: the broker did not answer",
            command.action
        );
        self.answer(command, CommandStatus::Failed, &result, Some(&error))
            .await
    }

    async fn answer(
        &mut self,
        command: &FakeCommand,
        status: CommandStatus,
        result: &Value,
        error: Option<&str>,
    ) -> Result<(), FakeAgentError> {
        let payload = json!({
            "status": status,
            "result": result,
            "error": error,
            "delivery_claim_token": command.delivery_claim_token,
        });
        self.send(FrameType::CommandResult, &command.id, &payload)
            .await
    }

    /// As [`FakeReceiver::recv`].
    ///
    /// # Errors
    /// As there.
    pub async fn recv(&mut self, wait: Duration) -> Result<Incoming, FakeAgentError> {
        self.receiver.recv(wait).await
    }

    /// As [`FakeReceiver::wait_ack`].
    ///
    /// # Errors
    /// As there.
    pub async fn wait_ack(
        &mut self,
        id: &str,
        wait: Duration,
    ) -> Result<EventBatchAck, FakeAgentError> {
        self.receiver.wait_ack(id, wait).await
    }

    /// As [`FakeReceiver::wait_command`].
    ///
    /// # Errors
    /// As there.
    pub async fn wait_command(&mut self, wait: Duration) -> Result<FakeCommand, FakeAgentError> {
        self.receiver.wait_command(wait).await
    }

    /// Waits for an error frame; other frames are dropped.
    ///
    /// # Errors
    /// As [`FakeReceiver::recv`].
    pub async fn wait_error(&mut self, wait: Duration) -> Result<ErrorFrame, FakeAgentError> {
        loop {
            if let Incoming::Error(error) = self.receiver.recv(wait).await? {
                return Ok(error);
            }
        }
    }

    /// As [`FakeReceiver::wait_close`].
    ///
    /// # Errors
    /// As there.
    pub async fn wait_close(&mut self, wait: Duration) -> Result<Option<u16>, FakeAgentError> {
        self.receiver.wait_close(wait).await
    }
}

/// Before hello_ack there is no session to sign for.
fn unbound() -> SessionBinding {
    SessionBinding {
        agent_id: String::new(),
        project_id: String::new(),
        session_id: String::new(),
    }
}
