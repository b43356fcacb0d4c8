//! The two directions of a fake agent's link, for scripts that send and receive at once.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use z4j_core::env::Env;
use z4j_core::wire::{
    self, ErrorFrame, EventBatchAck, Frame, FrameType, Received, SignError, Signer, Verified,
    Verifier,
};

use super::cut::CutStream;
use super::{FakeAgentError, FakeEvent};

pub(crate) type Socket = WebSocketStream<CutStream<TcpStream>>;

/// A verified frame from the brain.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Incoming {
    /// A batch is durable.
    Ack(EventBatchAck),
    /// Something to do.
    Command(FakeCommand),
    /// Something is wrong.
    Error(ErrorFrame),
    /// Another signed frame.
    Other(FrameType),
}

/// A command as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct FakeCommand {
    /// Its id, also that of its ack and result.
    pub id: String,
    /// Such as `retry_task`.
    pub action: String,
    /// What to do it to.
    pub target: Map<String, Value>,
    /// How to do it.
    pub parameters: Map<String, Value>,
    /// When the brain gives up, in seconds.
    pub timeout_seconds: u32,
    /// To be echoed.
    pub delivery_claim_token: Option<String>,
}

/// Signs and sends.
#[derive(Debug)]
pub struct FakeSender {
    pub(crate) sink: SplitSink<Socket, Message>,
    pub(crate) signer: Signer,
    pub(crate) env: Env,
}

impl FakeSender {
    /// Signs a frame without sending it. It takes the next seq, so it must be sent before later ones to be accepted.
    ///
    /// # Errors
    /// [`SignError`] when the payload cannot be signed.
    pub fn sign<T: Serialize + ?Sized>(
        &mut self,
        kind: FrameType,
        id: &str,
        payload: &T,
    ) -> Result<Vec<u8>, SignError> {
        self.signer.sign(kind, id, payload)
    }

    /// Sends bytes as one binary message, whatever they are.
    ///
    /// # Errors
    /// [`FakeAgentError`] when the link is gone.
    pub async fn send_raw(&mut self, frame: impl Into<Vec<u8>>) -> Result<(), FakeAgentError> {
        self.send_message(Message::binary(frame.into())).await
    }

    /// Sends text as one text message, whatever it is.
    ///
    /// # Errors
    /// [`FakeAgentError`] when the link is gone.
    pub async fn send_text(&mut self, text: &str) -> Result<(), FakeAgentError> {
        self.send_message(Message::text(text)).await
    }

    /// Signs and sends.
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
        let frame = self.sign(kind, id, payload)?;
        self.send_raw(frame).await
    }

    /// Sends events in one frame with a new id, and gives that id.
    ///
    /// # Errors
    /// As [`FakeSender::send`].
    pub async fn send_events(&mut self, events: &[FakeEvent]) -> Result<String, FakeAgentError> {
        let id = wire::new_frame_id(FrameType::EventBatch, &self.env);
        self.send_batch(&id, events).await?;
        Ok(id)
    }

    /// Sends events in one frame with this id: the same id again is a resend.
    ///
    /// # Errors
    /// As [`FakeSender::send`].
    pub async fn send_batch(
        &mut self,
        id: &str,
        events: &[FakeEvent],
    ) -> Result<(), FakeAgentError> {
        let events: Vec<Value> = events.iter().map(FakeEvent::to_json).collect();
        self.send(FrameType::EventBatch, id, &json!({ "events": events }))
            .await
    }

    /// Closes with a code.
    ///
    /// # Errors
    /// [`FakeAgentError`] when the link is gone.
    pub async fn close(&mut self, code: u16) -> Result<(), FakeAgentError> {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        };
        self.send_message(Message::Close(Some(frame))).await
    }

    pub(crate) async fn send_message(&mut self, message: Message) -> Result<(), FakeAgentError> {
        self.sink.send(message).await.map_err(|error| match error {
            SocketError::ConnectionClosed | SocketError::AlreadyClosed => {
                FakeAgentError::Closed(None)
            }
            other => FakeAgentError::socket(other),
        })
    }
}

/// Receives and verifies.
#[derive(Debug)]
pub struct FakeReceiver {
    pub(crate) stream: SplitStream<Socket>,
    pub(crate) verifier: Verifier,
    pub(crate) env: Env,
    pub(crate) held: VecDeque<Incoming>,
}

impl FakeReceiver {
    /// The next frame, in the order in which it came.
    ///
    /// # Errors
    /// [`FakeAgentError::TimedOut`], [`FakeAgentError::Closed`] with the brain's code, or
    /// [`FakeAgentError::Refusal`] when the frame is not one that an agent takes.
    pub async fn recv(&mut self, wait: Duration) -> Result<Incoming, FakeAgentError> {
        if let Some(held) = self.held.pop_front() {
            return Ok(held);
        }
        self.recv_new(wait, "a frame").await
    }

    /// Waits for the acknowledgement of a batch; other frames are kept for later.
    ///
    /// # Errors
    /// As [`FakeReceiver::recv`].
    pub async fn wait_ack(
        &mut self,
        id: &str,
        wait: Duration,
    ) -> Result<EventBatchAck, FakeAgentError> {
        let matching = |incoming: &Incoming| match incoming {
            Incoming::Ack(ack) if ack.acked_id == id => Some(ack.clone()),
            _ => None,
        };
        self.wait_for(wait, "an acknowledgement", matching).await
    }

    /// Waits for the next command; other frames are kept for later.
    ///
    /// # Errors
    /// As [`FakeReceiver::recv`].
    pub async fn wait_command(&mut self, wait: Duration) -> Result<FakeCommand, FakeAgentError> {
        let matching = |incoming: &Incoming| match incoming {
            Incoming::Command(command) => Some(command.clone()),
            _ => None,
        };
        self.wait_for(wait, "a command", matching).await
    }

    /// Waits until the brain ends the link and gives its close code; frames before that are kept for later.
    ///
    /// # Errors
    /// [`FakeAgentError::TimedOut`], or [`FakeAgentError::Refusal`] for a frame that must be refused.
    pub async fn wait_close(&mut self, wait: Duration) -> Result<Option<u16>, FakeAgentError> {
        let deadline = self.env.elapsed() + wait;
        loop {
            let left = deadline.saturating_sub(self.env.elapsed());
            match self.recv_new(left, "the end of the link").await {
                Ok(incoming) => self.held.push_back(incoming),
                Err(FakeAgentError::Closed(code)) => return Ok(code),
                Err(FakeAgentError::Socket(_)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for the first frame, new or kept, that `matching` takes.
    async fn wait_for<T>(
        &mut self,
        wait: Duration,
        what: &'static str,
        matching: impl Fn(&Incoming) -> Option<T> + Send,
    ) -> Result<T, FakeAgentError> {
        let kept = self
            .held
            .iter()
            .enumerate()
            .find_map(|(index, held)| Some((index, matching(held)?)));
        if let Some((index, found)) = kept {
            self.held.remove(index);
            return Ok(found);
        }
        let deadline = self.env.elapsed() + wait;
        loop {
            let left = deadline.saturating_sub(self.env.elapsed());
            let incoming = self.recv_new(left, what).await?;
            match matching(&incoming) {
                Some(found) => return Ok(found),
                None => self.held.push_back(incoming),
            }
        }
    }

    async fn recv_new(
        &mut self,
        wait: Duration,
        what: &'static str,
    ) -> Result<Incoming, FakeAgentError> {
        let frame = next_frame(&mut self.stream, wait, what).await?;
        let verified = self.verifier.verify(&frame, Received::now(&self.env))?;
        Ok(incoming(&verified))
    }
}

fn incoming(verified: &Verified<'_>) -> Incoming {
    match verified.decode() {
        Ok(Frame::EventBatchAck(ack)) => Incoming::Ack(ack),
        Ok(Frame::Error(error)) => Incoming::Error(error),
        Ok(Frame::Command(command)) => Incoming::Command(FakeCommand {
            id: verified.id.to_string(),
            action: command.action.to_string(),
            target: command.target.decode_owned().unwrap_or_default(),
            parameters: command.parameters.decode_owned().unwrap_or_default(),
            timeout_seconds: command.timeout_seconds,
            delivery_claim_token: command.delivery_claim_token,
        }),
        Ok(_) | Err(_) => Incoming::Other(verified.kind),
    }
}

/// The bytes of the next message that is no ping, pong or close.
pub(crate) async fn next_frame<S>(
    stream: &mut S,
    wait: Duration,
    what: &'static str,
) -> Result<Vec<u8>, FakeAgentError>
where
    S: futures_util::Stream<Item = Result<Message, SocketError>> + Unpin + Send,
{
    let next = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
                Some(Ok(Message::Text(text))) => return Ok(text.as_bytes().to_vec()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(FakeAgentError::Closed(frame.map(|frame| frame.code.into())));
                }
                Some(Ok(_)) => {}
                None | Some(Err(SocketError::ConnectionClosed | SocketError::AlreadyClosed)) => {
                    return Err(FakeAgentError::Closed(None));
                }
                Some(Err(error)) => return Err(FakeAgentError::socket(error)),
            }
        }
    };
    match tokio::time::timeout(wait, next).await {
        Ok(frame) => frame,
        Err(_) => Err(FakeAgentError::TimedOut(what)),
    }
}
