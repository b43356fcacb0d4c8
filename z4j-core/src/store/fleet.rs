//! Agents, their links, and the workers and queues that they report.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    AuditWrite, DisownedWorker, LeaseGrant, QueueRow, QueueSighting, StoreError, WorkerOwner,
    WorkerRow, WorkerSighting,
};
use crate::id::{AgentId, LinkId, ProjectId, ReplicaId, UserId};
use crate::time::Timestamp;

/// Keeps what is known of the fleet.
#[async_trait]
pub trait FleetStore: Debug + Send + Sync + 'static {
    /// Writes a new agent. The same id again answers the first row.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn mint_agent(&self, mint: MintAgent) -> Result<MintOutcome, StoreError>;

    /// Gives an agent a new token; the old one stays valid until `old_valid_until`. `None`: no such agent, or revoked.
    /// After the commit the store wakes [`super::Topic::Agents`].
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn replace_token(&self, replace: ReplaceToken) -> Result<Option<AgentRow>, StoreError>;

    /// Ends an agent's rights for good; again, it answers the same row. `None`: no such agent in the project.
    /// After the commit the store wakes [`super::Topic::Agents`].
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn revoke_agent(&self, revoke: RevokeAgent) -> Result<Option<AgentRow>, StoreError>;

    /// The agent that a token belongs to, unless it is revoked or the token has lapsed. One indexed read.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn agent_by_token(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<AgentIdentity>, StoreError>;

    /// The agents of a project by name, revoked ones last, each with its open links.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn agents(&self, project: ProjectId) -> Result<Vec<AgentRow>, StoreError>;

    /// One agent.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn agent(&self, project: ProjectId, id: AgentId) -> Result<Option<AgentRow>, StoreError>;

    /// Records that a process of an agent is connected, with what its hello said.
    ///
    /// # Errors
    /// [`super::StoreErrorKind::Fenced`] when the store does not know the brain that holds the socket: nobody would close
    /// the link when that brain is gone. Else any [`StoreError`].
    async fn open_link(&self, open: OpenLink) -> Result<(), StoreError>;

    /// Records that links are gone; the workers that only they vouched for become offline. Answers those workers.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn close_links(&self, closes: Vec<CloseLink>) -> Result<Vec<WorkerRow>, StoreError>;

    /// Records heartbeats, sightings and refusals of many agents in one transaction.
    ///
    /// # Contract
    /// Times never move backwards; a report of an agent that is gone is passed over.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn record_reports(&self, batch: ReportBatch) -> Result<(), StoreError>;

    /// The workers of a project by name.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn workers(&self, project: ProjectId) -> Result<Vec<WorkerRow>, StoreError>;

    /// The workers of a project whose own link is open, whichever brain holds it.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn worker_owners(&self, project: ProjectId) -> Result<Vec<WorkerOwner>, StoreError>;

    /// The queues of a project by name.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn queues(&self, project: ProjectId) -> Result<Vec<QueueRow>, StoreError>;

    /// Marks online workers offline that were last seen before `now - silent_after` and whose own link, if they have
    /// one, is closed. Answers those that changed.
    ///
    /// # Errors
    /// [`super::StoreErrorKind::Fenced`] when `grant` is not the current one; else any [`StoreError`].
    async fn sweep_workers(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
        silent_after: Duration,
    ) -> Result<Vec<WorkerRow>, StoreError>;
}

/// An agent to write.
#[derive(Clone, Debug)]
pub struct MintAgent {
    /// Its id.
    pub id: AgentId,
    /// The tenant.
    pub project_id: ProjectId,
    /// Unique among the project's agents that are not revoked.
    pub name: String,
    /// Keyed hash of the token.
    pub token_hash: [u8; 32],
    /// The person behind it.
    pub minted_by: Option<UserId>,
    /// When.
    pub at: Timestamp,
    /// Written with it.
    pub audit: AuditWrite,
}

/// What became of an agent to write.
#[derive(Clone, Debug)]
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "an outcome lives for one call; boxing it would only burden the caller"
)]
pub enum MintOutcome {
    /// Written, now or by the same request before.
    Minted(AgentRow),
    /// Another agent of the project has the name.
    NameTaken,
}

/// A new token for an agent.
#[derive(Clone, Debug)]
pub struct ReplaceToken {
    /// Which agent.
    pub id: AgentId,
    /// The tenant.
    pub project_id: ProjectId,
    /// Keyed hash of the new token.
    pub token_hash: [u8; 32],
    /// Until when the old token works.
    pub old_valid_until: Timestamp,
    /// When.
    pub at: Timestamp,
    /// Written with it.
    pub audit: AuditWrite,
}

/// An agent whose rights end.
#[derive(Clone, Debug)]
pub struct RevokeAgent {
    /// Which agent.
    pub id: AgentId,
    /// The tenant.
    pub project_id: ProjectId,
    /// When.
    pub at: Timestamp,
    /// Written with it.
    pub audit: AuditWrite,
}

/// Whom a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    /// The agent.
    pub agent_id: AgentId,
    /// Its tenant.
    pub project_id: ProjectId,
    /// Its name, for logs.
    pub name: String,
}

/// What an agent's hello said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentProfile {
    /// The web framework around it, such as `bare`.
    pub framework: Option<String>,
    /// Its package version.
    pub agent_version: Option<String>,
    /// The wire protocol it speaks.
    pub protocol_version: Option<String>,
    /// The host label that an operator gave.
    pub host: Option<String>,
    /// Engine adapters.
    pub engines: Vec<String>,
    /// Scheduler adapters.
    pub schedulers: Vec<String>,
    /// Adapter to capability tokens.
    pub capabilities: BTreeMap<String, Vec<String>>,
}

/// A stored agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentRow {
    /// Its id.
    pub id: AgentId,
    /// The tenant.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// When it was minted.
    pub created_at: Timestamp,
    /// When its rights ended.
    pub revoked_at: Option<Timestamp>,
    /// When a link of it last opened.
    pub last_connected_at: Option<Timestamp>,
    /// When it was last heard of.
    pub last_seen_at: Option<Timestamp>,
    /// What its latest hello said.
    pub profile: AgentProfile,
    /// Its open links.
    pub links: Vec<LinkRow>,
    /// The latest heartbeat's buffered entries.
    pub buffer_entries: Option<u64>,
    /// The latest heartbeat's health map.
    pub health: BTreeMap<String, String>,
    /// Declared loss, summed over all sources, as a JSON object of counters; `None` when none was declared.
    pub telemetry_loss: Option<String>,
    /// The latest frame or hello that was refused.
    pub last_refusal: Option<RefusalRow>,
    /// How many frames and events were refused so far.
    pub refused_total: u64,
}

/// A connected process of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// The link.
    pub id: LinkId,
    /// The process slot named in hello.
    pub worker_id: Option<String>,
    /// The process's role.
    pub worker_role: Option<String>,
    /// The process's id on its host.
    pub pid: Option<u32>,
    /// When it connected.
    pub connected_at: Timestamp,
    /// When it was last heard of.
    pub last_seen_at: Timestamp,
    /// The brain that holds the socket.
    pub replica: ReplicaId,
    /// The engines that the process serves.
    pub engines: Vec<String>,
    /// Adapter to capability tokens of the process.
    pub capabilities: BTreeMap<String, Vec<String>>,
}

/// Why something an agent sent was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRow {
    /// When.
    pub at: Timestamp,
    /// Stable word, such as `clock_skew`.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
    /// The measured difference of the clocks in milliseconds, when that was the reason; positive when the agent is ahead.
    pub skew_ms: Option<i64>,
}

/// A process that connected.
#[derive(Clone, Debug)]
pub struct OpenLink {
    /// Fresh for each connection.
    pub link_id: LinkId,
    /// The agent.
    pub agent_id: AgentId,
    /// The brain that holds the socket.
    pub replica: ReplicaId,
    /// The process slot named in hello.
    pub worker_id: Option<String>,
    /// The process's role.
    pub worker_role: Option<String>,
    /// The process's id on its host.
    pub pid: Option<u32>,
    /// When the process started, by its host's clock.
    pub started_at: Option<Timestamp>,
    /// What hello said.
    pub profile: AgentProfile,
    /// When.
    pub at: Timestamp,
}

/// A link that is gone.
#[derive(Clone, Copy, Debug)]
pub struct CloseLink {
    /// Which.
    pub link_id: LinkId,
    /// When.
    pub at: Timestamp,
}

/// What many agents said since the last batch.
#[derive(Clone, Debug, Default)]
pub struct ReportBatch {
    /// Heartbeats, at most one per link.
    pub reports: Vec<AgentReport>,
    /// Workers whose own process is not behind the link that said so. They count before `workers`, and are no sighting.
    pub disowned: Vec<DisownedWorker>,
    /// Workers seen.
    pub workers: Vec<WorkerSighting>,
    /// Queues seen.
    pub queues: Vec<QueueSighting>,
    /// Refusals: agent, what, and how many since the last batch.
    pub refusals: Vec<(AgentId, RefusalRow, u64)>,
}

/// What one source has lost since it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredLoss {
    /// The buffer; never empty.
    pub buffer_id: String,
    /// The runtime that counts; empty for what the buffer itself counts, which survives its process.
    pub runtime_id: String,
    /// A JSON object of counters, cumulative for this pair of ids.
    pub counters: String,
}

/// The latest heartbeat of a link.
#[derive(Clone, Debug)]
pub struct AgentReport {
    /// The link.
    pub link_id: LinkId,
    /// Its agent.
    pub agent_id: AgentId,
    /// When it was heard.
    pub at: Timestamp,
    /// Entries that wait in its buffer.
    pub buffer_entries: Option<u64>,
    /// Its health map, when it sent one.
    pub health: Option<BTreeMap<String, String>>,
    /// Declared loss, of each source that the agent tells apart.
    pub losses: Vec<DeclaredLoss>,
}
