//! The brain's end of a link.

use std::fmt;
use std::time::Duration;

use crate::env::Env;
use crate::id::{AgentId, LinkId, ProjectId};
use crate::keys::SecretKey;
use crate::limits;
use crate::wire::{
    CloseCode, FrameType, Hello, HelloAck, HelloAckStream, Received, Refusal, SessionBinding,
    Signer, Verified, Verifier, decode_hello, encode_hello_ack, new_frame_id,
};

/// What a brain grants an agent whose token it knows.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The agent that the token names.
    pub agent: AgentId,
    /// The agent's project.
    pub project: ProjectId,
    /// This connection; must be fresh.
    pub link: LinkId,
    /// The project's key.
    pub key: SecretKey,
    /// Our version, or empty to keep agents from comparing.
    pub brain_version: String,
    /// Seconds between heartbeats.
    pub heartbeat_interval_seconds: u32,
    /// Largest frame that we take, in bytes.
    pub frame_bytes_max: u32,
    /// Where the agent's stream goes on, if it offered one.
    pub stream: Option<HelloAckStream>,
}

impl Grant {
    /// A grant with the usual interval and size.
    #[must_use]
    pub const fn new(agent: AgentId, project: ProjectId, link: LinkId, key: SecretKey) -> Self {
        Self {
            agent,
            project,
            link,
            key,
            brain_version: String::new(),
            heartbeat_interval_seconds: limits::HEARTBEAT_INTERVAL_SECONDS_DEFAULT,
            frame_bytes_max: 1 << 20,
            stream: None,
        }
    }

    fn binding(&self) -> SessionBinding {
        SessionBinding {
            agent_id: self.agent.to_string(),
            project_id: self.project.to_string(),
            session_id: self.link.to_string(),
        }
    }
}

/// Close the socket with this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code.
    pub code: CloseCode,
    /// What was wrong with a frame; `None` when time ran out.
    pub refusal: Option<Refusal>,
}

impl Close {
    /// A stable word for logs, counters and the agent's page.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match (&self.refusal, self.code) {
            (Some(refusal), _) => refusal.reason(),
            (None, CloseCode::Idle) => "idle",
            (None, _) => "closed",
        }
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "close {}: {}", self.code.code(), self.reason())
    }
}

impl std::error::Error for Close {}

/// What a frame was good for.
#[derive(Debug)]
pub enum BrainInput<'a> {
    /// The agent introduced itself: [`BrainSession::accept`] it, or close with 4401, 4403 or 4429.
    Hello(Box<Hello>),
    /// A frame to act on.
    Frame(Verified<'a>),
}

/// What an accepted agent is sent, and what signs all that follows.
#[derive(Debug)]
pub struct Accepted {
    /// The hello_ack frame; must be sent before anything that the signer signs.
    pub hello_ack: Vec<u8>,
    /// Signs the frames of this session.
    pub signer: Signer,
}

/// There is no hello to accept.
#[derive(Debug, thiserror::Error)]
#[error("there is no hello to accept")]
pub struct NotAccepting;

/// The brain's end of a link: hello, then signed frames.
///
/// # Contract
/// After a [`Close`] the socket must be closed with its code, and the session takes nothing more.
#[derive(Debug)]
pub struct BrainSession {
    state: State,
    last_heard: Duration,
}

#[derive(Debug)]
enum State {
    AwaitsHello,
    HasHello,
    Live(Box<Verifier>),
    Closed,
}

impl BrainSession {
    /// A link that was opened when [`crate::env::Env::elapsed`] said `opened`.
    #[must_use]
    pub const fn new(opened: Duration) -> Self {
        Self {
            state: State::AwaitsHello,
            last_heard: opened,
        }
    }

    /// Takes a message from the socket, text or binary.
    ///
    /// # Errors
    /// [`Close`] with the code of wire §1.1 and §10: 4426 for another protocol in hello, 4400 for any other bad first
    /// frame and for size, 4403 when MAC or replay guard refuse, 1011 for the rest.
    pub fn on_frame<'a>(
        &mut self,
        frame: &'a [u8],
        received: Received,
    ) -> Result<BrainInput<'a>, Close> {
        self.last_heard = received.elapsed;
        let outcome = match &mut self.state {
            State::AwaitsHello => first(frame),
            State::Live(verifier) => live(verifier, frame, received),
            // The agent must wait for hello_ack; whatever it sends before cannot be verified.
            State::HasHello | State::Closed => {
                Err(refuse(CloseCode::BadRequest, Refusal::NotHello))
            }
        };
        match &outcome {
            Ok(BrainInput::Hello(_)) => self.state = State::HasHello,
            Ok(BrainInput::Frame(_)) => {}
            Err(_) => self.state = State::Closed,
        }
        outcome
    }

    /// Answers the hello; from now on frames are verified under the grant's key.
    ///
    /// # Errors
    /// [`NotAccepting`] unless the last input was a hello that can be answered.
    pub fn accept(&mut self, grant: &Grant, env: &Env) -> Result<Accepted, NotAccepting> {
        if !matches!(self.state, State::HasHello) {
            return Err(NotAccepting);
        }
        let binding = grant.binding();
        let ack = HelloAck {
            protocol_version: limits::PROTOCOL_VERSION_TEXT.to_owned(),
            brain_version: grant.brain_version.clone(),
            agent_id: binding.agent_id.clone(),
            project_id: binding.project_id.clone(),
            session_id: binding.session_id.clone(),
            heartbeat_interval_seconds: grant.heartbeat_interval_seconds,
            max_frame_size_bytes: grant.frame_bytes_max,
            stream: grant.stream,
        };
        let id = new_frame_id(FrameType::HelloAck, env);
        let hello_ack = encode_hello_ack(&id, &ack).map_err(|_| NotAccepting)?;
        let frame_bytes_max = usize::try_from(grant.frame_bytes_max).unwrap_or(usize::MAX);
        let verifier =
            Verifier::new(&grant.key, binding.clone()).with_frame_bytes_max(frame_bytes_max);
        self.state = State::Live(Box::new(verifier));
        Ok(Accepted {
            hello_ack,
            signer: Signer::new(&grant.key, binding, env.clone()),
        })
    }

    /// Whether the agent is accepted and nothing was refused.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.state, State::Live(_))
    }

    /// When [`BrainSession::on_time`] must be called, unless a frame comes first.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::AwaitsHello => Some(self.last_heard.saturating_add(limits::HELLO_WAIT)),
            State::HasHello | State::Live(_) => {
                Some(self.last_heard.saturating_add(limits::IDLE_WAIT))
            }
            State::Closed => None,
        }
    }

    /// Time has passed.
    ///
    /// # Errors
    /// [`Close`] with 4408 when the deadline is over.
    pub fn on_time(&mut self, elapsed: Duration) -> Result<(), Close> {
        if self.deadline().is_none_or(|deadline| elapsed < deadline) {
            return Ok(());
        }
        self.state = State::Closed;
        Err(Close {
            code: CloseCode::Idle,
            refusal: None,
        })
    }
}

const fn refuse(code: CloseCode, refusal: Refusal) -> Close {
    Close {
        code,
        refusal: Some(refusal),
    }
}

fn live<'a>(
    verifier: &mut Verifier,
    frame: &'a [u8],
    received: Received,
) -> Result<BrainInput<'a>, Close> {
    let verified = verifier
        .verify(frame, received)
        .map_err(|refusal| refuse(refusal.close_code_live(), refusal))?;
    match verified.kind {
        FrameType::EventBatch
        | FrameType::Heartbeat
        | FrameType::AgentStatus
        | FrameType::CommandAck
        | FrameType::CommandResult
        | FrameType::RegistryDelta
        | FrameType::Error => Ok(BrainInput::Frame(verified)),
        // Our own frames sent back to us: the MAC cannot tell directions apart, so the type must.
        FrameType::Hello | FrameType::HelloAck | FrameType::Command | FrameType::EventBatchAck => {
            let refusal = Refusal::WrongDirection;
            Err(refuse(refusal.close_code_live(), refusal))
        }
    }
}

fn first(frame: &[u8]) -> Result<BrainInput<'_>, Close> {
    let (_, hello) = decode_hello(frame).map_err(refuse_first)?;
    if hello.protocol_version != limits::PROTOCOL_VERSION_TEXT {
        return Err(refuse_first(Refusal::OtherProtocol));
    }
    Ok(BrainInput::Hello(Box::new(hello)))
}

fn refuse_first(refusal: Refusal) -> Close {
    let code = match refusal {
        Refusal::OtherProtocol => CloseCode::ProtocolVersion,
        _ => CloseCode::BadRequest,
    };
    refuse(code, refusal)
}

#[cfg(test)]
mod tests;
