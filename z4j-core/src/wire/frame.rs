//! What every frame has: its type, and the wrapper around its payload.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    AgentStatus, Command, CommandAck, CommandResult, DecodeError, ErrorFrame, EventBatch,
    EventBatchAck, Heartbeat, RawJson, RegistryDelta,
};

/// The discriminator of a frame (wire §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameType {
    /// Agent to brain, first frame, unsigned.
    Hello,
    /// Brain to agent, answer to hello, unsigned.
    HelloAck,
    /// Agent to brain: what happened to tasks.
    EventBatch,
    /// Brain to agent: a batch is durable.
    EventBatchAck,
    /// Agent to brain: alive, and how its adapters are.
    Heartbeat,
    /// Agent to brain: how its connection fares.
    AgentStatus,
    /// Brain to agent: do something.
    Command,
    /// Agent to brain: a command arrived.
    CommandAck,
    /// Agent to brain: what came of a command.
    CommandResult,
    /// Agent to brain: task definitions changed. Never sent by published agents.
    RegistryDelta,
    /// Either way: something is wrong.
    Error,
}

impl FrameType {
    /// All types of protocol v2.
    pub const ALL: [Self; 11] = [
        Self::Hello,
        Self::HelloAck,
        Self::EventBatch,
        Self::EventBatchAck,
        Self::Heartbeat,
        Self::AgentStatus,
        Self::Command,
        Self::CommandAck,
        Self::CommandResult,
        Self::RegistryDelta,
        Self::Error,
    ];

    /// The text on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::HelloAck => "hello_ack",
            Self::EventBatch => "event_batch",
            Self::EventBatchAck => "event_batch_ack",
            Self::Heartbeat => "heartbeat",
            Self::AgentStatus => "agent_status",
            Self::Command => "command",
            Self::CommandAck => "command_ack",
            Self::CommandResult => "command_result",
            Self::RegistryDelta => "registry_delta",
            Self::Error => "error",
        }
    }

    /// Whether the frame carries ts, nonce, seq and hmac. Only the handshake does not.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        !matches!(self, Self::Hello | Self::HelloAck)
    }
}

/// A frame type that protocol v2 does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown frame type")]
pub struct UnknownFrameType;

impl FromStr for FrameType {
    type Err = UnknownFrameType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownFrameType)
    }
}

impl fmt::Display for FrameType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The payload of a signed frame, typed. Unknown members are ignored at every level.
#[derive(Clone, Debug)]
pub enum Frame<'a> {
    /// Events.
    EventBatch(EventBatch<'a>),
    /// An acknowledged batch.
    EventBatchAck(EventBatchAck),
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// State of the agent's connection.
    AgentStatus(AgentStatus),
    /// A command.
    Command(Command<'a>),
    /// A received command.
    CommandAck(CommandAck),
    /// A finished command.
    CommandResult(CommandResult<'a>),
    /// Changed task definitions.
    RegistryDelta(RegistryDelta<'a>),
    /// An error report.
    Error(ErrorFrame),
}

impl<'a> Frame<'a> {
    /// Reads the payload of a signed frame of type `kind`.
    ///
    /// # Errors
    /// [`DecodeError`] when the payload does not have the members that its type requires, or `kind` is unsigned.
    pub fn decode(kind: FrameType, payload: RawJson<'a>) -> Result<Self, DecodeError> {
        Ok(match kind {
            FrameType::EventBatch => Self::EventBatch(EventBatch::decode(payload)?),
            FrameType::EventBatchAck => Self::EventBatchAck(payload.decode()?),
            FrameType::Heartbeat => Self::Heartbeat(payload.decode()?),
            FrameType::AgentStatus => Self::AgentStatus(payload.decode()?),
            FrameType::Command => Self::Command(payload.decode()?),
            FrameType::CommandAck => Self::CommandAck(payload.decode()?),
            FrameType::CommandResult => Self::CommandResult(payload.decode()?),
            FrameType::RegistryDelta => Self::RegistryDelta(payload.decode()?),
            FrameType::Error => Self::Error(payload.decode()?),
            FrameType::Hello | FrameType::HelloAck => return Err(DecodeError::unsigned_type()),
        })
    }

    /// The type of this frame.
    #[must_use]
    pub const fn kind(&self) -> FrameType {
        match self {
            Self::EventBatch(_) => FrameType::EventBatch,
            Self::EventBatchAck(_) => FrameType::EventBatchAck,
            Self::Heartbeat(_) => FrameType::Heartbeat,
            Self::AgentStatus(_) => FrameType::AgentStatus,
            Self::Command(_) => FrameType::Command,
            Self::CommandAck(_) => FrameType::CommandAck,
            Self::CommandResult(_) => FrameType::CommandResult,
            Self::RegistryDelta(_) => FrameType::RegistryDelta,
            Self::Error(_) => FrameType::Error,
        }
    }
}
