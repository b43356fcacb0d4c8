//! The audit log.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use z4j_core::audit::AuditEntry;
use z4j_core::id::AuditId;
use z4j_core::time::Timestamp;

use super::Json;

/// Which entries are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditQuery {
    /// Actions that begin with this.
    pub(crate) action: Option<String>,
    /// From `next_cursor`.
    pub(crate) cursor: Option<String>,
    /// 1 to 500, default 50.
    pub(crate) limit: Option<u32>,
}

/// Who did something.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AuditActor {
    /// `user`, `agent` or `system`
    pub(crate) kind: &'static str,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
}

/// One entry.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Entry {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: AuditId,
    pub(crate) seq: u64,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) occurred_at: Timestamp,
    pub(crate) actor: AuditActor,
    /// The network address it came from.
    pub(crate) origin: Option<String>,
    pub(crate) action: String,
    pub(crate) target_type: String,
    pub(crate) target_id: String,
    /// `ok`, `refused` or `failed`
    pub(crate) outcome: &'static str,
    pub(crate) metadata: Json,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        let draft = entry.draft;
        Self {
            id: entry.id,
            seq: entry.seq,
            occurred_at: draft.at,
            actor: AuditActor {
                kind: draft.actor.kind(),
                id: draft.actor.id(),
                name: draft.actor.name().map(str::to_owned),
            },
            origin: draft.origin,
            action: draft.action,
            target_type: draft.target_type,
            target_id: draft.target_id,
            outcome: draft.outcome.as_str(),
            metadata: Json::new(&draft.metadata),
        }
    }
}

/// The state of the chain.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Chain {
    /// Entries in it.
    pub(crate) length: u64,
    /// Whether every entry fits the one before it; null when the chain is too long to walk for a page.
    pub(crate) verified: Option<bool>,
}

/// A page of the audit log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    pub(crate) items: Vec<Entry>,
    pub(crate) next_cursor: Option<String>,
    pub(crate) chain: Chain,
}
