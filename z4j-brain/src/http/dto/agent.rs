//! Agents.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use z4j_core::id::AgentId;
use z4j_core::store::{AgentRow, LinkRow, RefusalRow};
use z4j_core::time::Timestamp;

use super::Json;

/// An agent: a credential, and what the processes that use it report of themselves.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Agent {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: AgentId,
    pub(crate) name: String,
    /// `never_connected`, `online`, `offline` or `revoked`
    pub(crate) state: &'static str,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) revoked_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_seen_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_connected_at: Option<Timestamp>,
    pub(crate) framework: Option<String>,
    pub(crate) agent_version: Option<String>,
    pub(crate) protocol_version: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) engines: Vec<String>,
    pub(crate) schedulers: Vec<String>,
    /// Adapter to what it can do.
    pub(crate) capabilities: BTreeMap<String, Vec<String>>,
    pub(crate) connections: Vec<Connection>,
    /// Declared loss, summed; null when none was declared.
    pub(crate) telemetry_loss: Option<Json>,
    /// Entries that waited in its buffer at the latest heartbeat.
    pub(crate) buffer_size: Option<u64>,
    pub(crate) adapter_health: BTreeMap<String, String>,
    pub(crate) last_refusal: Option<Refusal>,
    /// Frames and events refused so far.
    pub(crate) events_refused: u64,
}

/// A connected process.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Connection {
    pub(crate) worker_id: Option<String>,
    pub(crate) worker_role: Option<String>,
    pub(crate) pid: Option<u32>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) connected_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) last_seen_at: Timestamp,
}

/// Why something an agent sent was refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Refusal {
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// Stable word, such as `clock_skew`.
    pub(crate) code: String,
    pub(crate) message: String,
    /// How far the agent's clock is ahead of the brain's, when that was the reason.
    pub(crate) skew_seconds: Option<f64>,
}

impl From<AgentRow> for Agent {
    fn from(row: AgentRow) -> Self {
        Self {
            id: row.id,
            state: state_of(&row),
            name: row.name,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
            last_seen_at: row.last_seen_at,
            last_connected_at: row.last_connected_at,
            framework: row.profile.framework,
            agent_version: row.profile.agent_version,
            protocol_version: row.profile.protocol_version,
            host: row.profile.host,
            engines: row.profile.engines,
            schedulers: row.profile.schedulers,
            capabilities: row.profile.capabilities,
            connections: row.links.into_iter().map(Connection::from).collect(),
            telemetry_loss: Json::of(row.telemetry_loss.as_deref()),
            buffer_size: row.buffer_entries,
            adapter_health: row.health,
            last_refusal: row.last_refusal.map(Refusal::from),
            events_refused: row.refused_total,
        }
    }
}

fn state_of(row: &AgentRow) -> &'static str {
    if row.revoked_at.is_some() {
        "revoked"
    } else if !row.links.is_empty() {
        "online"
    } else if row.last_connected_at.is_some() {
        "offline"
    } else {
        "never_connected"
    }
}

impl From<LinkRow> for Connection {
    fn from(row: LinkRow) -> Self {
        Self {
            worker_id: row.worker_id,
            worker_role: row.worker_role,
            pid: row.pid,
            connected_at: row.connected_at,
            last_seen_at: row.last_seen_at,
        }
    }
}

impl From<RefusalRow> for Refusal {
    fn from(row: RefusalRow) -> Self {
        Self {
            at: row.at,
            code: row.code,
            message: row.message,
            skew_seconds: row
                .skew_ms
                .and_then(|ms| i32::try_from(ms).ok())
                .map(|ms| f64::from(ms) / 1e3),
        }
    }
}

/// An agent to mint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAgent {
    /// 1 to 80 characters, unique among the project's agents that are not revoked.
    pub(crate) name: String,
}

/// An agent with its secrets, which are shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MintedAgent {
    pub(crate) agent: Agent,
    #[serde(serialize_with = "shown_once")]
    #[schema(value_type = String)]
    pub(crate) token: SecretString,
    #[serde(serialize_with = "shown_once")]
    #[schema(value_type = String)]
    pub(crate) hmac_secret: SecretString,
}

fn shown_once<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}
