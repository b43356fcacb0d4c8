//! What the bugs leave alone goes to the reference store.

use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use z4j_core::audit::{AuditEntry, ChainHead, ChainId};
use z4j_core::id::{AgentId, ProjectId, TaskKey, UserId, UserSessionId};
use z4j_core::store::*;
use z4j_core::time::Timestamp;

use super::bugs::Planted;

macro_rules! forward {
    ($($trait:ident { $(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)+ })+) => {$(
        #[async_trait]
        impl $trait for Planted {
            $(
                async fn $name(&self, $($arg: $kind),*) -> Result<$answer, StoreError> {
                    self.store.$name($($arg),*).await
                }
            )+
        }
    )+};
}

forward! {
    FleetStore {
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
        fn queues(project: ProjectId) -> Vec<QueueRow>;
        fn worker_owners(project: ProjectId) -> Vec<WorkerOwner>;
        fn sweep_workers(grant: &LeaseGrant, now: Timestamp, silent_after: Duration) -> Vec<WorkerRow>;
    }
    IdentityStore {
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
    AuditStore {
        fn append_audit(entries: Vec<AuditWrite>) -> ();
        fn audit_page(chain: ChainId, action: Option<&str>, page: PageRequest) -> Page<AuditEntry>;
        fn audit_range(chain: ChainId, after_seq: u64, limit: u32) -> Vec<AuditEntry>;
        fn audit_heads() -> Vec<(ChainId, ChainHead)>;
    }
}

#[async_trait]
impl TaskQueries for Planted {
    async fn task(
        &self,
        project: ProjectId,
        task: &TaskKey,
    ) -> Result<Option<TaskDetail>, StoreError> {
        self.store.task(project, task).await
    }

    async fn tasks_by_keys(
        &self,
        project: ProjectId,
        keys: &[TaskKey],
    ) -> Result<Vec<TaskSummary>, StoreError> {
        self.store.tasks_by_keys(project, keys).await
    }

    async fn tasks(
        &self,
        project: ProjectId,
        filter: &TaskFilter,
        sort: TaskSort,
        page: PageRequest,
    ) -> Result<Page<TaskSummary>, StoreError> {
        self.buggy_tasks(project, filter, sort, page).await
    }

    async fn task_tree(
        &self,
        project: ProjectId,
        task: &TaskKey,
        limit: u32,
    ) -> Result<Option<TaskTree>, StoreError> {
        self.store.task_tree(project, task, limit).await
    }

    async fn facets(&self, project: ProjectId, limit: u32) -> Result<Facets, StoreError> {
        self.store.facets(project, limit).await
    }

    async fn state_counts(&self, project: ProjectId) -> Result<Vec<StateCount>, StoreError> {
        self.buggy_state_counts(project).await
    }

    async fn minute_counts(
        &self,
        project: ProjectId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MinuteCount>, StoreError> {
        self.store.minute_counts(project, since, until).await
    }
}

#[async_trait]
impl Coordination for Planted {
    async fn beat(&self, beat: ReplicaBeat) -> Result<BeatOutcome, StoreError> {
        self.buggy_beat(beat).await
    }

    async fn forget_replica(&self, forget: ForgetReplica) -> Result<ForgetOutcome, StoreError> {
        self.buggy_forget(forget).await
    }

    async fn maintain(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.buggy_maintain(grant, now).await
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        self.store.announce(announcement).await
    }

    fn announcements(&self) -> BoxStream<'static, Heard> {
        self.store.announcements()
    }

    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError> {
        self.buggy_try_lease(request).await
    }

    fn wakeups(&self, topic: Topic) -> BoxStream<'static, ()> {
        self.store.wakeups(topic)
    }

    async fn probe(&self, now: Timestamp) -> Result<StoreHealth, StoreError> {
        self.store.probe(now).await
    }
}
