//! What is stored: one map for each kind of thing.

use std::collections::{BTreeMap, BTreeSet};

use z4j_core::audit::{AuditEntry, ChainId};
use z4j_core::id::{
    AgentId, AuditId, CommandId, EventId, LinkId, ProjectId, ReplicaId, TaskKey, UserId,
    UserSessionId,
};
use z4j_core::policy::Role;
use z4j_core::store::{
    AgentRow, CommandRow, EventRow, IdempotencyKey, LinkRow, NewSession, PoisonFrame, ProjectRow,
    QueueRow, ReplicaRow, SetupToken, StreamKey, TaskSummary, UserRow, WorkerRow,
};
use z4j_core::task::{CounterKey, TaskRecord};
use z4j_core::time::Timestamp;

use super::streams::Stream;

/// A name within an engine of a project, in the order of lists: project, name, engine.
pub(super) type EngineName = (ProjectId, String, String);

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Db {
    pub(super) projects: BTreeMap<ProjectId, ProjectRow>,
    pub(super) users: BTreeMap<UserId, UserRow>,
    pub(super) memberships: BTreeMap<(UserId, ProjectId), Role>,
    pub(super) setup_token: Option<SetupToken>,
    pub(super) sessions: BTreeMap<UserSessionId, Session>,
    pub(super) agents: BTreeMap<AgentId, Agent>,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) workers: BTreeMap<EngineName, Worker>,
    pub(super) queues: BTreeMap<EngineName, QueueRow>,
    pub(super) events: BTreeSet<(ProjectId, EventId)>,
    pub(super) streams: BTreeMap<StreamKey, Stream>,
    pub(super) tasks: BTreeMap<(ProjectId, TaskKey), Task>,
    pub(super) retries: BTreeMap<(ProjectId, TaskKey), Retry>,
    pub(super) quarantine: BTreeMap<ProjectId, Vec<PoisonFrame>>,
    pub(super) counters: BTreeMap<(ProjectId, CounterKey), i64>,
    pub(super) commands: BTreeMap<CommandId, Command>,
    pub(super) audit: BTreeMap<ChainId, Vec<AuditEntry>>,
    pub(super) audit_ids: BTreeSet<AuditId>,
    pub(super) leases: BTreeMap<String, Lease>,
    pub(super) replicas: BTreeMap<ReplicaId, ReplicaRow>,
}

/// A task: what its events say, and when the first of them came.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) record: TaskRecord,
    pub(super) created_at: Timestamp,
    /// In the order of their arrival.
    pub(super) events: Vec<EventRow>,
}

/// A person's retry, by the task that it made. Either task may be unknown.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) original: String,
    pub(super) at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) row: CommandRow,
    pub(super) idempotency: Option<IdempotencyKey>,
    /// The link that has it.
    pub(super) link: Option<LinkId>,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) new: NewSession,
    pub(super) last_seen_at: Timestamp,
    pub(super) idle_until: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
}

/// An agent. `row` holds neither links nor loss: both are added when it is read.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) row: AgentRow,
    pub(super) token_hash: [u8; 32],
    pub(super) old_token: Option<([u8; 32], Timestamp)>,
    pub(super) reported_at: Option<Timestamp>,
    /// By buffer and runtime: counters as JSON text, and when they last came.
    pub(super) losses: BTreeMap<(String, String), (String, Timestamp)>,
}

/// An open link; a closed one is no longer here.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) agent: AgentId,
    pub(super) started_at: Option<Timestamp>,
    pub(super) row: LinkRow,
}

/// A worker. The counts of `row` are added when it is read.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) row: WorkerRow,
    pub(super) own_link: Option<LinkId>,
    pub(super) described_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Lease {
    pub(super) holder: ReplicaId,
    pub(super) fence: u64,
    pub(super) until: Timestamp,
}

impl Db {
    /// The tasks of a project.
    pub(super) fn tasks_of(&self, project: ProjectId) -> impl Iterator<Item = (&TaskKey, &Task)> {
        self.tasks
            .iter()
            .filter(move |((owner, _), _)| *owner == project)
            .map(|((_, key), task)| (key, task))
    }

    /// A task as lists show it, with its family links.
    pub(super) fn summary(&self, project: ProjectId, key: &TaskKey, task: &Task) -> TaskSummary {
        let mut summary = TaskSummary::from_record(key.clone(), &task.record, task.created_at);
        let own = self.retries.get(&(project, key.clone()));
        summary.retry_of = own.map(|retry| retry.original.clone());
        let of_this = self.retries.iter().filter(|((owner, retry), entry)| {
            *owner == project && retry.engine == key.engine && entry.original == key.task_id
        });
        let latest = of_this.max_by_key(|(_, entry)| entry.at);
        summary.retried_as = latest.map(|((_, retry), _)| retry.task_id.clone());
        summary
    }

    /// A person's name to show.
    pub(super) fn name_of(&self, user: UserId) -> Option<String> {
        self.users.get(&user).map(|row| row.display_name.clone())
    }
}
