//! hello and hello_ack.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::StreamId;
use crate::limits;

/// What an agent says first (wire §4.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol it speaks; only "2" is accepted.
    pub protocol_version: String,
    /// Version of the agent's core package; advice only.
    pub agent_version: String,
    /// The application's framework: bare, django, flask, fastapi.
    pub framework: String,
    /// Names of its engine adapters.
    #[serde(default)]
    pub engines: Vec<String>,
    /// Names of its scheduler adapters.
    #[serde(default)]
    pub schedulers: Vec<String>,
    /// What each adapter can do.
    #[serde(default)]
    pub capabilities: BTreeMap<String, Vec<String>>,
    /// Where it runs.
    #[serde(default)]
    pub host: HostInfo,
    /// Names the process among those that share the token.
    #[serde(default)]
    pub worker_id: Option<String>,
    /// web, task, scheduler, beat or other.
    #[serde(default)]
    pub worker_role: Option<String>,
    /// Process id.
    #[serde(default)]
    pub worker_pid: Option<u32>,
    /// When the process started, as RFC 3339 text.
    #[serde(default)]
    pub worker_started_at: Option<String>,
    /// What it can do beyond protocol v2.
    #[serde(default)]
    pub runtime_features: Vec<String>,
    /// The stream that its events belong to, with [`RESUMABLE_STREAM`]; brains that do not know it pass over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<HelloStream>,
}

/// The runtime feature of an agent whose events are numbered without a hole (`reliability.md` D11).
pub const RESUMABLE_STREAM: &str = "resumable_stream_v1";

/// Names an agent's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloStream {
    /// Random, made with the agent's buffer.
    pub id: StreamId,
}

/// Where a brain has an agent's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloAckStream {
    /// Up to this position everything is stored or declared lost.
    pub position: u64,
}

/// What an agent says of its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInfo {
    /// The label that its operator gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Hello {
    /// A hello that speaks this protocol and offers nothing yet.
    #[must_use]
    pub fn new(agent_version: &str, framework: &str) -> Self {
        Self {
            protocol_version: limits::PROTOCOL_VERSION_TEXT.to_owned(),
            agent_version: agent_version.to_owned(),
            framework: framework.to_owned(),
            engines: Vec::new(),
            schedulers: Vec::new(),
            capabilities: BTreeMap::new(),
            host: HostInfo::default(),
            worker_id: None,
            worker_role: None,
            worker_pid: None,
            worker_started_at: None,
            runtime_features: Vec::new(),
            stream: None,
        }
    }

    /// Checks the caps of wire §4.1.
    #[must_use]
    pub fn is_within_limits(&self) -> bool {
        let lists = [&self.engines, &self.schedulers, &self.runtime_features];
        chars(&self.protocol_version) <= limits::VERSION_CHARS_MAX
            && chars(&self.agent_version) <= limits::VERSION_CHARS_MAX
            && chars(&self.framework) <= limits::FRAMEWORK_CHARS_MAX
            && lists
                .iter()
                .all(|list| list.len() <= limits::HELLO_LIST_ENTRIES_MAX)
            && chars_of(&self.worker_id) <= limits::WORKER_ID_CHARS_MAX
            && chars_of(&self.worker_role) <= limits::WORKER_ROLE_CHARS_MAX
            && self
                .worker_pid
                .is_none_or(|pid| pid <= i32::MAX.cast_unsigned())
    }

    /// Whether `adapter` says it can do `capability`.
    #[must_use]
    pub fn has_capability(&self, adapter: &str, capability: &str) -> bool {
        self.capabilities
            .get(adapter)
            .is_some_and(|list| list.iter().any(|have| have == capability))
    }

    /// Offers to resume a stream.
    pub fn offer_stream(&mut self, id: StreamId) {
        if !self.has_feature(RESUMABLE_STREAM) {
            self.runtime_features.push(RESUMABLE_STREAM.to_owned());
        }
        self.stream = Some(HelloStream { id });
    }

    /// The stream that the agent offers to resume.
    #[must_use]
    pub fn resumable_stream(&self) -> Option<StreamId> {
        let offered = self.has_feature(RESUMABLE_STREAM);
        self.stream.filter(|_| offered).map(|stream| stream.id)
    }

    /// Whether the agent advertised `feature`.
    #[must_use]
    pub fn has_feature(&self, feature: &str) -> bool {
        self.runtime_features.iter().any(|have| have == feature)
    }
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

fn chars_of(text: &Option<String>) -> usize {
    text.as_deref().map_or(0, chars)
}

/// What a brain answers (wire §4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloAck {
    /// The protocol it speaks.
    pub protocol_version: String,
    /// Version of the brain; empty keeps agents from comparing.
    pub brain_version: String,
    /// Bound into every MAC as it stands here.
    pub agent_id: String,
    /// Bound into every MAC as it stands here.
    pub project_id: String,
    /// Fresh for every connection; bound into every MAC as it stands here.
    pub session_id: String,
    /// Seconds between heartbeats.
    #[serde(default = "default_heartbeat")]
    pub heartbeat_interval_seconds: u32,
    /// Largest frame that the brain takes, in bytes.
    #[serde(default = "default_frame_bytes")]
    pub max_frame_size_bytes: u32,
    /// Where the agent's stream goes on; only for agents that offered [`RESUMABLE_STREAM`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<HelloAckStream>,
}

const fn default_heartbeat() -> u32 {
    limits::HEARTBEAT_INTERVAL_SECONDS_DEFAULT
}

const fn default_frame_bytes() -> u32 {
    1 << 20
}

impl HelloAck {
    /// Checks the caps of wire §4.2.
    #[must_use]
    pub fn is_within_limits(&self) -> bool {
        let ids = [&self.agent_id, &self.project_id, &self.session_id];
        chars(&self.brain_version) <= limits::VERSION_CHARS_MAX
            && ids
                .iter()
                .all(|id| chars(id) <= limits::SESSION_MEMBER_CHARS_MAX)
            && (1..=limits::HEARTBEAT_INTERVAL_SECONDS_MAX)
                .contains(&self.heartbeat_interval_seconds)
            && (limits::FRAME_BYTES_OFFER_MIN..=limits::FRAME_BYTES_OFFER_MAX)
                .contains(&self.max_frame_size_bytes)
    }
}
