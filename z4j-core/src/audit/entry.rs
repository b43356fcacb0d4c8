//! What an entry of the chain says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, AuditId, ProjectId, UserId};
use crate::time::Timestamp;

/// Which chain an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainId {
    /// What concerns the whole installation: sign-in, projects, people.
    Instance,
    /// What concerns one project.
    Project(ProjectId),
}

/// A text that names no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a chain")]
pub struct ParseChainIdError;

/// `instance`, or the project's id.
impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance => f.write_str("instance"),
            Self::Project(id) => id.fmt(f),
        }
    }
}

impl FromStr for ChainId {
    type Err = ParseChainIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "instance" => Ok(Self::Instance),
            id => id.parse().map(Self::Project).map_err(|_| ParseChainIdError),
        }
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A person, by the name they had at the time.
    User {
        /// Which one.
        id: UserId,
        /// E-mail address or display name.
        name: String,
    },
    /// An agent, by the name it had at the time.
    Agent {
        /// Which one.
        id: AgentId,
        /// Its name.
        name: String,
    },
    /// The brain itself, or somebody who is not known (a refused sign-in).
    System,
}

impl Actor {
    /// `user`, `agent` or `system`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Agent { .. } => "agent",
            Self::System => "system",
        }
    }

    /// The id of the person or agent.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::User { id, .. } => Some(id.to_string()),
            Self::Agent { id, .. } => Some(id.to_string()),
            Self::System => None,
        }
    }

    /// The name at the time.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::User { name, .. } | Self::Agent { name, .. } => Some(name),
            Self::System => None,
        }
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was not allowed.
    Refused,
    /// It was tried and went wrong.
    Failed,
}

/// A text that names no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an outcome")]
pub struct ParseOutcomeError;

impl Outcome {
    /// `ok`, `refused` or `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for Outcome {
    type Err = ParseOutcomeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ok" => Ok(Self::Ok),
            "refused" => Ok(Self::Refused),
            "failed" => Ok(Self::Failed),
            _ => Err(ParseOutcomeError),
        }
    }
}

/// What happened, before it has a place in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditDraft {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// From where: a network address.
    pub origin: Option<String>,
    /// What, as a dotted name such as `agent.mint`.
    pub action: String,
    /// The kind of thing it was done to, such as `agent`.
    pub target_type: String,
    /// Which one.
    pub target_id: String,
    /// How it went.
    pub outcome: Outcome,
    /// More about it: the text of a JSON object. Sealed as text, byte for byte, and to be stored as text.
    pub metadata: String,
}

impl AuditDraft {
    /// Something that was done; [`Self::with_outcome`] for what was not.
    pub fn new(at: Timestamp, actor: Actor, action: impl Into<String>) -> Self {
        Self {
            at,
            actor,
            origin: None,
            action: action.into(),
            target_type: String::new(),
            target_id: String::new(),
            outcome: Outcome::Ok,
            metadata: "{}".to_owned(),
        }
    }

    /// The same, done to this.
    #[must_use]
    pub fn with_target(
        mut self,
        target_type: impl Into<String>,
        target_id: impl Into<String>,
    ) -> Self {
        self.target_type = target_type.into();
        self.target_id = target_id.into();
        self
    }

    /// The same, from this address.
    #[must_use]
    pub fn with_origin(mut self, origin: Option<String>) -> Self {
        self.origin = origin;
        self
    }

    /// The same, with this outcome.
    #[must_use]
    pub const fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The same, with this JSON text.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<String>) -> Self {
        self.metadata = metadata.into();
        self
    }
}

/// The last entry of a chain, as far as the next one needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Its number.
    pub seq: u64,
    /// Its seal.
    pub mac: [u8; 32],
}

/// A sealed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The version of the canonical form that the seal is over.
    pub version: u8,
    /// Which chain.
    pub chain: ChainId,
    /// Its number in the chain, from 1, without gaps.
    pub seq: u64,
    /// Its id.
    pub id: AuditId,
    /// Which key sealed it.
    pub key_id: String,
    /// The seal of the entry before it; zeros for the first.
    pub prev_mac: [u8; 32],
    /// The seal.
    pub mac: [u8; 32],
    /// What happened.
    pub draft: AuditDraft,
}

impl AuditEntry {
    /// What the next entry must follow.
    #[must_use]
    pub const fn head(&self) -> ChainHead {
        ChainHead {
            seq: self.seq,
            mac: self.mac,
        }
    }
}
