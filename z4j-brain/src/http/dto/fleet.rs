//! Workers and queues.

use serde::Serialize;
use utoipa::ToSchema;
use z4j_core::id::AgentId;
use z4j_core::store::{QueueRow, WorkerRow, WorkerState};
use z4j_core::time::Timestamp;

use super::Json;

/// A worker that an agent reported.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Worker {
    /// Names the worker in URLs: `engine:name`.
    pub(crate) id: String,
    pub(crate) engine: String,
    pub(crate) name: String,
    /// `online`, `offline` or `unknown`
    pub(crate) state: &'static str,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) last_seen_at: Timestamp,
    pub(crate) pid: Option<u32>,
    pub(crate) concurrency: Option<u32>,
    /// Tasks it ran when last reported.
    pub(crate) active: Option<u32>,
    pub(crate) queues: Vec<String>,
    #[schema(value_type = String, format = Uuid)]
    pub(crate) agent_id: AgentId,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// Null while retries are not counted per worker.
    pub(crate) retried: Option<u64>,
    /// Only in detail: what the worker said of itself, from an allow-list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<Json>,
}

impl Worker {
    /// The worker as lists show it.
    pub(crate) fn listed(row: WorkerRow) -> Self {
        Self {
            id: format!("{}:{}", row.engine, row.name),
            engine: row.engine,
            name: row.name,
            state: match row.state {
                WorkerState::Online => "online",
                WorkerState::Offline => "offline",
            },
            last_seen_at: row.last_seen_at,
            pid: row.pid,
            concurrency: row.concurrency,
            active: row.active,
            queues: row.queues,
            agent_id: row.agent_id,
            succeeded: row.succeeded,
            failed: row.failed,
            retried: None,
            details: None,
        }
    }

    /// The worker with its details.
    pub(crate) fn detailed(row: WorkerRow) -> Self {
        let details = Json::new(row.details.as_deref().unwrap_or("{}"));
        Self {
            details: Some(details),
            ..Self::listed(row)
        }
    }
}

/// A queue that an agent reported.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Queue {
    /// Names the queue: `engine:name`.
    pub(crate) id: String,
    pub(crate) engine: String,
    pub(crate) name: String,
    /// Messages in the broker when last measured.
    pub(crate) depth: Option<u64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) depth_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) last_seen_at: Timestamp,
    /// Its tasks that a worker has and has not started, or that wait for a retry.
    pub(crate) waiting: u64,
    /// Its tasks that run.
    pub(crate) running: u64,
    /// Null while failures are not counted per queue.
    pub(crate) failed_1h: Option<u64>,
}

impl From<QueueRow> for Queue {
    fn from(row: QueueRow) -> Self {
        Self {
            id: format!("{}:{}", row.engine, row.name),
            engine: row.engine,
            name: row.name,
            depth: row.depth,
            depth_at: row.depth_at,
            last_seen_at: row.last_seen_at,
            waiting: row.waiting,
            running: row.running,
            failed_1h: None,
        }
    }
}
