//! The workers and queues that agents name.

use crate::id::{AgentId, LinkId, ProjectId, ReplicaId};
use crate::time::Timestamp;

/// A worker that an agent named.
#[derive(Clone, Debug)]
pub struct WorkerSighting {
    /// The tenant.
    pub project_id: ProjectId,
    /// The engine.
    pub engine: String,
    /// The engine's name of the worker.
    pub name: String,
    /// Who named it.
    pub agent_id: AgentId,
    /// The link whose own process the worker is, when that is known. However old, it counts as long as no other open link
    /// claims the worker: what others saw of it since says nothing of whose process it is.
    pub own_link: Option<LinkId>,
    /// When.
    pub at: Timestamp,
    /// The worker said that it stops.
    pub stopping: bool,
    /// Its process id.
    pub pid: Option<u32>,
    /// How many tasks it can run at once.
    pub concurrency: Option<u32>,
    /// How many it runs.
    pub active: Option<u32>,
    /// The queues it takes from.
    pub queues: Option<Vec<String>>,
    /// Allow-listed details as a JSON object.
    pub details: Option<String>,
}

impl WorkerSighting {
    /// Whether it says what the worker is like, and not only that it is there.
    #[must_use]
    pub const fn is_description(&self) -> bool {
        self.own_link.is_some()
            || self.pid.is_some()
            || self.concurrency.is_some()
            || self.active.is_some()
            || self.queues.is_some()
            || self.details.is_some()
    }
}

/// A worker for which a link does not vouch any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisownedWorker {
    /// The tenant.
    pub project_id: ProjectId,
    /// The engine.
    pub engine: String,
    /// The engine's name of the worker.
    pub name: String,
    /// The link. What other links say of the worker stays.
    pub link_id: LinkId,
}

/// A worker whose own process is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerOwner {
    /// The engine.
    pub engine: String,
    /// The engine's name of the worker.
    pub name: String,
    /// The link that vouches for it.
    pub link_id: LinkId,
    /// The brain that holds the link.
    pub replica: ReplicaId,
    /// When the process started, by its host's clock.
    pub started_at: Option<Timestamp>,
}

/// A queue that an agent named.
#[derive(Clone, Debug)]
pub struct QueueSighting {
    /// The tenant.
    pub project_id: ProjectId,
    /// The engine.
    pub engine: String,
    /// The queue's name.
    pub name: String,
    /// Messages that wait in the broker, when measured.
    pub depth: Option<u64>,
    /// When.
    pub at: Timestamp,
}

/// Whether a worker is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// Seen lately, or its process is connected.
    Online,
    /// Silent, stopped, or its process is gone.
    Offline,
}

/// A stored worker.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerRow {
    /// The tenant.
    pub project_id: ProjectId,
    /// The engine.
    pub engine: String,
    /// The engine's name of the worker.
    pub name: String,
    /// Whether it is there.
    pub state: WorkerState,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// Who named it last.
    pub agent_id: AgentId,
    /// Its process id.
    pub pid: Option<u32>,
    /// How many tasks it can run at once.
    pub concurrency: Option<u32>,
    /// How many it ran when last reported.
    pub active: Option<u32>,
    /// The queues it takes from.
    pub queues: Vec<String>,
    /// Allow-listed details as a JSON object.
    pub details: Option<String>,
    /// Its tasks whose final state is success.
    pub succeeded: u64,
    /// Its tasks whose final state is failure.
    pub failed: u64,
}

/// A stored queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRow {
    /// The tenant.
    pub project_id: ProjectId,
    /// The engine.
    pub engine: String,
    /// The queue's name.
    pub name: String,
    /// Messages that waited in the broker when last measured.
    pub depth: Option<u64>,
    /// When the depth was measured.
    pub depth_at: Option<Timestamp>,
    /// When it was last named.
    pub last_seen_at: Timestamp,
    /// Its tasks that are received and not started, or wait for a retry.
    pub waiting: u64,
    /// Its tasks that run.
    pub running: u64,
}
