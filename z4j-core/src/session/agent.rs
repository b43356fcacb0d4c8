//! The agent's end of a link.

use std::fmt;
use std::time::Duration;

use crate::env::Env;
use crate::keys::SecretKey;
use crate::limits;
use crate::wire::{
    CloseCode, ErrorFrame, Frame, FrameType, Hello, HelloAck, Received, SessionBinding, Signer,
    Verified, Verifier, decode_hello_ack, encode_hello, new_frame_id,
};

/// Which reconnect schedule a failure belongs to (wire §1.2). The later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// The link broke, or something that passes by itself.
    Connection,
    /// The brain reported an error that ends the session.
    Protocol,
    /// The brain speaks another protocol, or does not want this version.
    Incompatible,
    /// The brain does not know or no longer accepts the token.
    Auth,
}

impl FailureClass {
    /// All classes.
    pub const ALL: [Self; 4] = [
        Self::Connection,
        Self::Protocol,
        Self::Incompatible,
        Self::Auth,
    ];

    /// The class of a socket that the other end closed.
    #[must_use]
    pub const fn of_close(code: CloseCode, live: bool) -> Self {
        match (code, live) {
            (CloseCode::Unauthorized | CloseCode::Forbidden, false)
            | (CloseCode::Revoked, true) => Self::Auth,
            (CloseCode::ProtocolVersion | CloseCode::AgentVersion, false) => Self::Incompatible,
            _ => Self::Connection,
        }
    }

    /// The class of an upgrade that was answered with another HTTP status than 101.
    #[must_use]
    pub const fn of_http_status(status: u16) -> Self {
        if status == 401 {
            Self::Auth
        } else {
            Self::Connection
        }
    }

    fn of_error(error: &ErrorFrame) -> Self {
        match error.code.as_str() {
            "scheduler_upgrade_required" | "agent_incompatible" | "protocol_incompatible" => {
                Self::Incompatible
            }
            _ => Self::Protocol,
        }
    }
}

/// The session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When to come back.
    pub class: FailureClass,
    /// A stable word, or the code of the brain's error frame.
    pub reason: String,
}

impl Failure {
    fn new(class: FailureClass, reason: &str) -> Self {
        Self {
            class,
            reason: reason.to_owned(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session over ({:?}): {}", self.class, self.reason)
    }
}

impl std::error::Error for Failure {}

/// What a frame was good for.
#[derive(Debug)]
pub enum AgentInput<'a> {
    /// The brain accepted us.
    Established(Box<Established>),
    /// A frame to act on: a command, an ack, or an error that does not end the session.
    Frame(Verified<'a>),
    /// A sound frame that an agent has no use for.
    Ignored(FrameType),
}

/// What a hello_ack brought.
#[derive(Debug)]
pub struct Established {
    /// The answer.
    pub ack: HelloAck,
    /// Signs the frames of this session, within the brain's size limit.
    pub signer: Signer,
}

/// The agent's end of a link: hello_ack, then signed frames.
///
/// # Contract
/// After a [`Failure`] the socket must be closed, and the session takes nothing more.
#[derive(Debug)]
pub struct AgentSession {
    key: SecretKey,
    env: Env,
    started: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitsAck,
    Live(Box<Verifier>),
    Over,
}

impl AgentSession {
    /// A session under the project's key that begins now.
    #[must_use]
    pub fn new(key: SecretKey, env: Env) -> Self {
        Self {
            key,
            started: env.elapsed(),
            env,
            state: State::AwaitsAck,
        }
    }

    /// The first frame to send.
    ///
    /// # Errors
    /// As [`encode_hello`].
    pub fn hello(&self, hello: &Hello) -> Result<Vec<u8>, serde_json::Error> {
        encode_hello(&new_frame_id(FrameType::Hello, &self.env), hello)
    }

    /// Takes a message from the socket, text or binary.
    ///
    /// # Errors
    /// [`Failure`] with the class of wire §1.1.
    pub fn on_frame<'a>(
        &mut self,
        frame: &'a [u8],
        received: Received,
    ) -> Result<AgentInput<'a>, Failure> {
        let outcome = match &mut self.state {
            State::AwaitsAck => self.first(frame),
            State::Live(verifier) => live(verifier, frame, received),
            State::Over => Err(Failure::new(FailureClass::Connection, "over")),
        };
        if outcome.is_err() {
            self.state = State::Over;
        }
        outcome
    }

    fn first<'a>(&mut self, frame: &[u8]) -> Result<AgentInput<'a>, Failure> {
        let ack = decode_hello_ack(frame)
            .map_err(|refusal| Failure::new(FailureClass::Connection, refusal.reason()))?;
        if ack.protocol_version != limits::PROTOCOL_VERSION_TEXT {
            return Err(Failure::new(FailureClass::Incompatible, "other_protocol"));
        }
        let binding = SessionBinding {
            agent_id: ack.agent_id.clone(),
            project_id: ack.project_id.clone(),
            session_id: ack.session_id.clone(),
        };
        self.state = State::Live(Box::new(Verifier::new(&self.key, binding.clone())));
        let frame_bytes_max = usize::try_from(ack.max_frame_size_bytes).unwrap_or(usize::MAX);
        let signer =
            Signer::new(&self.key, binding, self.env.clone()).with_frame_bytes_max(frame_bytes_max);
        Ok(AgentInput::Established(Box::new(Established {
            ack,
            signer,
        })))
    }

    /// Whether the brain accepted us and nothing failed since.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.state, State::Live(_))
    }

    /// The socket was closed by the other end or broke; `None` for a loss without a code.
    #[must_use]
    pub fn on_closed(&mut self, code: Option<CloseCode>) -> Failure {
        let class = code.map_or(FailureClass::Connection, |code| {
            FailureClass::of_close(code, self.is_live())
        });
        self.state = State::Over;
        let reason = code.map_or_else(
            || "lost".to_owned(),
            |code| format!("close_{}", code.code()),
        );
        Failure { class, reason }
    }

    /// When [`AgentSession::on_time`] must be called, unless the answer comes first.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::AwaitsAck => Some(self.started.saturating_add(limits::HELLO_WAIT)),
            State::Live(_) | State::Over => None,
        }
    }

    /// Time has passed.
    ///
    /// # Errors
    /// [`Failure`] when the brain did not answer the hello in time.
    pub fn on_time(&mut self, elapsed: Duration) -> Result<(), Failure> {
        if self.deadline().is_none_or(|deadline| elapsed < deadline) {
            return Ok(());
        }
        self.state = State::Over;
        Err(Failure::new(FailureClass::Connection, "no_hello_ack"))
    }
}

fn live<'a>(
    verifier: &mut Verifier,
    frame: &'a [u8],
    received: Received,
) -> Result<AgentInput<'a>, Failure> {
    let verified = verifier
        .verify(frame, received)
        .map_err(|refusal| Failure::new(FailureClass::Connection, refusal.reason()))?;
    match verified.kind {
        FrameType::Command | FrameType::EventBatchAck => Ok(AgentInput::Frame(verified)),
        FrameType::Error => match verified.decode() {
            Ok(Frame::Error(error)) if error.fatal => Err(Failure {
                class: FailureClass::of_error(&error),
                reason: error.code,
            }),
            Ok(_) => Ok(AgentInput::Frame(verified)),
            Err(_) => Err(Failure::new(FailureClass::Connection, "malformed")),
        },
        other => Ok(AgentInput::Ignored(other)),
    }
}

#[cfg(test)]
mod tests;
