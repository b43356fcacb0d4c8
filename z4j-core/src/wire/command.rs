//! command, command_ack and command_result.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::RawJson;
use crate::limits;

/// Something an agent shall do (wire §4.7). Its id is the frame's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command<'a> {
    /// What to do, such as `retry_task`.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
    /// What to do it to.
    #[serde(borrow, default = "empty_object")]
    pub target: RawJson<'a>,
    /// How to do it.
    #[serde(borrow, default = "empty_object")]
    pub parameters: RawJson<'a>,
    /// When the brain gives up, in seconds; information only.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u32,
    /// Who asked for it.
    #[serde(default)]
    pub issued_by: Option<String>,
    /// Echoed in ack and result.
    #[serde(default)]
    pub delivery_claim_token: Option<String>,
}

const fn empty_object<'a>() -> RawJson<'a> {
    RawJson::EMPTY_OBJECT
}

const fn default_timeout() -> u32 {
    limits::COMMAND_TIMEOUT_SECONDS_DEFAULT
}

/// A command arrived at the agent (wire §4.8). The frame's id is the command's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAck {
    /// The command's claim token.
    #[serde(default)]
    pub delivery_claim_token: Option<String>,
}

/// How a command ended at the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandStatus {
    /// It was done.
    Success,
    /// It was not done, or nobody knows: see [`CommandResult::is_indeterminate`].
    Failed,
}

/// What came of a command (wire §4.9). The frame's id is the command's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandResult<'a> {
    /// How it ended.
    pub status: CommandStatus,
    /// What the engine said; an object or null.
    #[serde(borrow, default)]
    pub result: RawJson<'a>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
    /// The command's claim token.
    #[serde(default)]
    pub delivery_claim_token: Option<String>,
}

impl CommandResult<'_> {
    /// Whether the agent cannot tell if it was done: the broker did not answer in time (wire §6.3).
    #[must_use]
    pub fn is_indeterminate(&self) -> bool {
        #[derive(Deserialize)]
        struct Mark {
            #[serde(default)]
            indeterminate: bool,
        }
        self.status == CommandStatus::Failed
            && self
                .result
                .decode_owned::<Mark>()
                .is_some_and(|mark| mark.indeterminate)
    }
}
