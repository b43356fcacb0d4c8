//! A store put together from parts.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use super::{
    AdvanceCommand, AdvanceOutcome, AgentIdentity, AgentRow, Announcement, AuditStore, AuditWrite,
    BeatOutcome, ClaimCommands, CloseLink, CommandFilter, CommandRow, CommandStore, CompleteSetup,
    Coordination, CreateProject, CreateProjectOutcome, CreateUser, CreateUserOutcome, EndSession,
    EventRow, EventStore, Facets, FleetStore, ForgetOutcome, ForgetReplica, Heard, IdentityStore,
    IngestBatch, IngestReceipt, IssueCommand, IssueOutcome, LeaseGrant, LeaseOutcome, LeaseRequest,
    MembershipRow, MintAgent, MintOutcome, MinuteCount, NewSession, OpenLink, Page, PageRequest,
    ProjectRow, QueueRow, ReplaceToken, ReplicaBeat, ReportBatch, RevokeAgent, SessionRow,
    SetPassword, SetupOutcome, SetupToken, StateCount, StoreError, StoreHealth, StreamGap,
    StreamKey, TaskDetail, TaskFilter, TaskQueries, TaskSort, TaskSummary, TaskTree, Topic,
    UserRow, WorkerOwner, WorkerRow,
};
use crate::audit::{AuditEntry, ChainHead, ChainId};
use crate::id::{AgentId, CommandId, LinkId, ProjectId, TaskKey, UserId, UserSessionId};
use crate::time::Timestamp;

/// A store whose concerns come from different places: swap one, keep the others.
///
/// Each trait of the seam is a transaction boundary of its own, but not all parts are independent: ingest and
/// [`TaskQueries`] read and write the same tasks, and commands and audit entries commit together. Swap what wraps the part
/// that it replaces, or all parts that share rows.
///
/// ```
/// use std::sync::Arc;
/// use z4j_core::store::{EventStore, Store, StoreParts};
///
/// /// `store`, with its ingest replaced by something that wraps it.
/// fn with_own_ingest(store: Arc<impl Store>, own: Arc<dyn EventStore>) -> impl Store {
///     StoreParts::of(&store).with_events(own)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct StoreParts {
    events: Arc<dyn EventStore>,
    tasks: Arc<dyn TaskQueries>,
    commands: Arc<dyn CommandStore>,
    fleet: Arc<dyn FleetStore>,
    identity: Arc<dyn IdentityStore>,
    audit: Arc<dyn AuditStore>,
    coordination: Arc<dyn Coordination>,
}

impl StoreParts {
    /// All parts of one store.
    #[must_use]
    pub fn of<S: super::Store>(store: &Arc<S>) -> Self {
        let store: Arc<S> = Arc::clone(store);
        Self::from(store as Arc<dyn super::Store>)
    }

    /// With another [`EventStore`].
    #[must_use]
    pub fn with_events(mut self, events: Arc<dyn EventStore>) -> Self {
        self.events = events;
        self
    }

    /// With another [`TaskQueries`].
    #[must_use]
    pub fn with_tasks(mut self, tasks: Arc<dyn TaskQueries>) -> Self {
        self.tasks = tasks;
        self
    }

    /// With another [`CommandStore`].
    #[must_use]
    pub fn with_commands(mut self, commands: Arc<dyn CommandStore>) -> Self {
        self.commands = commands;
        self
    }

    /// With another [`FleetStore`].
    #[must_use]
    pub fn with_fleet(mut self, fleet: Arc<dyn FleetStore>) -> Self {
        self.fleet = fleet;
        self
    }

    /// With another [`IdentityStore`].
    #[must_use]
    pub fn with_identity(mut self, identity: Arc<dyn IdentityStore>) -> Self {
        self.identity = identity;
        self
    }

    /// With another [`AuditStore`].
    #[must_use]
    pub fn with_audit(mut self, audit: Arc<dyn AuditStore>) -> Self {
        self.audit = audit;
        self
    }

    /// With another [`Coordination`].
    #[must_use]
    pub fn with_coordination(mut self, coordination: Arc<dyn Coordination>) -> Self {
        self.coordination = coordination;
        self
    }
}

impl From<Arc<dyn super::Store>> for StoreParts {
    /// All parts of one store.
    fn from(store: Arc<dyn super::Store>) -> Self {
        let part = || Arc::clone(&store);
        Self {
            events: part(),
            tasks: part(),
            commands: part(),
            fleet: part(),
            identity: part(),
            audit: part(),
            coordination: part(),
        }
    }
}

/// Passes every method of a trait on to the part that has it.
macro_rules! pass_on {
    ($($part:ident: $trait:ident { $(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)+ $(; $($rest:item)*)? })+) => {$(
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl $trait for StoreParts {
            $(
                async fn $name(&self, $($arg: $kind),*) -> Result<$answer, StoreError> {
                    self.$part.$name($($arg),*).await
                }
            )+
            $($($rest)*)?
        }
    )+};
}

pass_on! {
    events: EventStore {
        fn ingest(batch: IngestBatch) -> IngestReceipt;
        fn task_events(project: ProjectId, task: &TaskKey, page: PageRequest) -> Page<EventRow>;
        fn stream_position(stream: StreamKey) -> u64;
        fn stream_gaps(stream: StreamKey, limit: u32) -> Vec<StreamGap>;
    }
    tasks: TaskQueries {
        fn task(project: ProjectId, task: &TaskKey) -> Option<TaskDetail>;
        fn tasks_by_keys(project: ProjectId, keys: &[TaskKey]) -> Vec<TaskSummary>;
        fn tasks(project: ProjectId, filter: &TaskFilter, sort: TaskSort, page: PageRequest) -> Page<TaskSummary>;
        fn task_tree(project: ProjectId, task: &TaskKey, limit: u32) -> Option<TaskTree>;
        fn facets(project: ProjectId, limit: u32) -> Facets;
        fn state_counts(project: ProjectId) -> Vec<StateCount>;
        fn minute_counts(project: ProjectId, since: Timestamp, until: Timestamp) -> Vec<MinuteCount>;
    }
    commands: CommandStore {
        fn issue_command(command: IssueCommand) -> IssueOutcome;
        fn claim_commands(claim: ClaimCommands) -> Vec<CommandRow>;
        fn advance_command(advance: AdvanceCommand) -> AdvanceOutcome;
        fn lose_link(link: LinkId, at: Timestamp) -> Vec<CommandRow>;
        fn expire_commands(now: Timestamp, limit: u32) -> Vec<CommandRow>;
        fn command(project: ProjectId, id: CommandId) -> Option<CommandRow>;
        fn commands(project: ProjectId, filter: &CommandFilter, page: PageRequest) -> Page<CommandRow>;
    }
    fleet: FleetStore {
        fn mint_agent(mint: MintAgent) -> MintOutcome;
        fn replace_token(replace: ReplaceToken) -> Option<AgentRow>;
        fn revoke_agent(revoke: RevokeAgent) -> Option<AgentRow>;
        fn agent_by_token(token_hash: &[u8; 32], now: Timestamp) -> Option<AgentIdentity>;
        fn agents(project: ProjectId) -> Vec<AgentRow>;
        fn agent(project: ProjectId, id: AgentId) -> Option<AgentRow>;
        fn open_link(open: OpenLink) -> ();
        fn close_links(closes: Vec<CloseLink>) -> Vec<WorkerRow>;
        fn record_reports(batch: ReportBatch) -> ();
        fn workers(project: ProjectId) -> Vec<WorkerRow>;
        fn worker_owners(project: ProjectId) -> Vec<WorkerOwner>;
        fn queues(project: ProjectId) -> Vec<QueueRow>;
        fn sweep_workers(grant: &LeaseGrant, now: Timestamp, silent_after: Duration) -> Vec<WorkerRow>;
    }
    identity: IdentityStore {
        fn has_users() -> bool;
        fn setup_token() -> Option<SetupToken>;
        fn put_setup_token(token: SetupToken) -> ();
        fn complete_setup(setup: CompleteSetup) -> SetupOutcome;
        fn create_user(create: CreateUser) -> CreateUserOutcome;
        fn user_by_email(email: &str) -> Option<UserRow>;
        fn user(id: UserId) -> Option<UserRow>;
        fn set_password(set: SetPassword) -> bool;
        fn create_session(session: NewSession) -> bool;
        fn session(token_hash: &[u8; 32], now: Timestamp) -> Option<SessionRow>;
        fn touch_session(id: UserSessionId, seen_at: Timestamp, idle_until: Timestamp) -> ();
        fn end_session(end: EndSession) -> ();
        fn memberships(user: UserId) -> Vec<MembershipRow>;
        fn projects() -> Vec<ProjectRow>;
        fn project_by_slug(slug: &str) -> Option<ProjectRow>;
        fn create_project(create: CreateProject) -> CreateProjectOutcome;
    }
    audit: AuditStore {
        fn append_audit(entries: Vec<AuditWrite>) -> ();
        fn audit_page(chain: ChainId, action: Option<&str>, page: PageRequest) -> Page<AuditEntry>;
        fn audit_range(chain: ChainId, after_seq: u64, limit: u32) -> Vec<AuditEntry>;
        fn audit_heads() -> Vec<(ChainId, ChainHead)>;
    }
    coordination: Coordination {
        fn beat(beat: ReplicaBeat) -> BeatOutcome;
        fn forget_replica(forget: ForgetReplica) -> ForgetOutcome;
        fn try_lease(request: LeaseRequest) -> LeaseOutcome;
        fn maintain(grant: &LeaseGrant, now: Timestamp) -> Vec<String>;
        fn announce(announcement: Announcement) -> ();
        fn probe(now: Timestamp) -> StoreHealth;
        ;
        fn announcements(&self) -> BoxStream<'static, Heard> {
            self.coordination.announcements()
        }

        fn wakeups(&self, topic: Topic) -> BoxStream<'static, ()> {
            self.coordination.wakeups(topic)
        }
    }
}
