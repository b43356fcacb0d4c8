//! heartbeat, agent_status, registry_delta and error.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RawJson;
use crate::limits;

/// A sign of life (wire §4.5).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Entries waiting in the agent's buffer.
    #[serde(default)]
    pub buffer_size: u64,
    /// When it last sent events, as RFC 3339 text.
    #[serde(default)]
    pub last_flush_at: Option<String>,
    /// Events lost so far.
    #[serde(default)]
    pub dropped_events: u64,
    /// What was lost, in detail.
    #[serde(default)]
    pub telemetry_loss: Option<TelemetryLoss>,
    /// `<engine>.<key>` to text (wire §8.1).
    #[serde(default)]
    pub adapter_health: BTreeMap<String, String>,
}

/// How the agent's connection fares (wire §4.6).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Refused credentials in a row.
    #[serde(default)]
    pub auth_failure_streak: u64,
    /// Protocol errors in a row.
    #[serde(default)]
    pub protocol_failure_streak: u64,
    /// Lost connections in a row.
    #[serde(default)]
    pub connection_failure_streak: u64,
    /// When it last connected, as RFC 3339 text.
    #[serde(default)]
    pub last_successful_connect_at: Option<String>,
    /// How long this session lives, in seconds.
    #[serde(default)]
    pub current_session_age_seconds: Option<f64>,
    /// Entries waiting in the agent's buffer.
    #[serde(default)]
    pub buffer_depth: u64,
    /// Age of the oldest of them, in seconds.
    #[serde(default)]
    pub buffer_oldest_age_seconds: Option<f64>,
    /// Version of the agent.
    #[serde(default)]
    pub agent_version: String,
    /// The protocol it speaks.
    #[serde(default)]
    pub protocol_version: String,
    /// Names of its engine adapters.
    #[serde(default)]
    pub engines: Vec<String>,
    /// Names of its scheduler adapters.
    #[serde(default)]
    pub schedulers: Vec<String>,
    /// What was lost, in detail.
    #[serde(default)]
    pub telemetry_loss: Option<TelemetryLoss>,
}

/// What an agent lost, counted since its buffer or runtime began (wire §8.2).
///
/// The first two counters say why, the next four what; they overlap and must not be added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryLoss {
    /// Names the buffer; its counters survive a restart.
    pub buffer_id: String,
    /// Names the runtime; adapter counters start anew with it.
    pub runtime_id: String,
    /// Frames evicted because the buffer was full.
    #[serde(default)]
    pub capacity_evicted_frames: u64,
    /// Frames dropped because of what they held, mostly their size.
    #[serde(default)]
    pub content_rejected_frames: u64,
    /// Events among them.
    #[serde(default)]
    pub event_records: u64,
    /// Command results among them.
    #[serde(default)]
    pub command_results: u64,
    /// Other frames among them.
    #[serde(default)]
    pub other_frames: u64,
    /// Frames among them that could not be told apart.
    #[serde(default)]
    pub unclassified_frames: u64,
    /// Events that adapters lost before the buffer, by engine.
    #[serde(default)]
    pub adapter_events: BTreeMap<String, u64>,
}

impl TelemetryLoss {
    /// Checks the caps of wire §8.2.
    #[must_use]
    pub fn is_within_limits(&self) -> bool {
        let ids = [&self.buffer_id, &self.runtime_id];
        let counters = [
            self.capacity_evicted_frames,
            self.content_rejected_frames,
            self.event_records,
            self.command_results,
            self.other_frames,
            self.unclassified_frames,
        ];
        ids.iter()
            .all(|id| (1..=limits::LOSS_ID_CHARS_MAX).contains(&id.chars().count()))
            && self.adapter_events.len() <= limits::LOSS_ADAPTERS_MAX
            && counters
                .iter()
                .chain(self.adapter_events.values())
                .all(|count| *count <= limits::SAFE_INTEGER_MAX)
    }

    /// Events lost in all: those of the buffer and those of adapters, capped as on the wire.
    #[must_use]
    pub fn dropped_events(&self) -> u64 {
        self.adapter_events
            .values()
            .fold(self.event_records, |sum, count| sum.saturating_add(*count))
            .min(limits::HEARTBEAT_COUNT_MAX)
    }
}

/// Changed task definitions (wire §4.10).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegistryDelta<'a> {
    /// The engine.
    #[serde(borrow, default)]
    pub engine: Cow<'a, str>,
    /// New definitions.
    #[serde(borrow, default)]
    pub added: Vec<RawJson<'a>>,
    /// Changed definitions.
    #[serde(borrow, default)]
    pub updated: Vec<RawJson<'a>>,
    /// Names of removed definitions.
    #[serde(default)]
    pub removed: Vec<String>,
}

/// Something is wrong (wire §4.11).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorFrame {
    /// A stable word.
    pub code: String,
    /// A sentence.
    #[serde(default)]
    pub message: String,
    /// Whether the session ends.
    #[serde(default)]
    pub fatal: bool,
}
