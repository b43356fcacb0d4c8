//! What cases need to set a scene: projects, agents, events, with names that say what they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use z4j_core::audit::{Actor, AuditDraft, AuditKey, ChainId};
use z4j_core::command::CommandInput;
use z4j_core::id::{AgentId, AuditId, CommandId, LinkId, ProjectId, ReplicaId, TaskKey, UserId};
use z4j_core::policy::Role;
use z4j_core::store::{
    AdvanceCommand, AgentProfile, AuditWrite, ClaimCommands, CreateProject, CreateUser,
    IngestReceipt, IssueCommand, LeaseGrant, LeaseOutcome, LeaseRequest, MintAgent, MintOutcome,
    OpenLink, Page, PageRequest, PasswordHash, ReplicaBeat, Store, StoreError, TaskDetail,
    TaskFilter, TaskSort, TaskSummary,
};
use z4j_core::time::Timestamp;

pub(super) use super::sent::{Sent, batch, identity, ingest, inserted};

pub(super) const ENGINE: &str = "celery";
/// The brain that holds the links of a scene.
pub(super) const REPLICA: u128 = 7;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A number that no other call of this process gave.
pub(super) fn fresh_id() -> u128 {
    u128::from(NEXT_ID.fetch_add(1, Ordering::Relaxed)) << 32
}

/// 2026-11-23T08:00:00Z and some milliseconds.
pub(super) fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_micros(1_795_420_800_000_000 + ms * 1_000)
}

pub(super) fn at_s(seconds: i64) -> Timestamp {
    at_ms(seconds * 1_000)
}

pub(super) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Two projects, two agents in the first one and one in the second.
pub(super) struct Scene<'s> {
    pub(super) store: &'s dyn Store,
    pub(super) project: ProjectId,
    pub(super) other_project: ProjectId,
    pub(super) agent: AgentId,
    pub(super) second_agent: AgentId,
    pub(super) other_agent: AgentId,
}

impl<'s> Scene<'s> {
    pub(super) async fn set(store: &'s dyn Store) -> Self {
        register(store, REPLICA).await;
        let project = create_project(store, "shop").await;
        let other_project = create_project(store, "other").await;
        Self {
            store,
            project,
            other_project,
            agent: mint(store, project, "web").await,
            second_agent: mint(store, project, "observer").await,
            other_agent: mint(store, other_project, "web").await,
        }
    }

    /// An event of the first project and agent.
    pub(super) fn event(&self, kind: &str, task_id: &str, at: Timestamp) -> Sent {
        Sent::new(self.project, self.agent, kind, task_id, at)
    }

    /// Stores events in one batch, received one second after the latest of them.
    pub(super) async fn ingest(&self, events: impl IntoIterator<Item = Sent>) -> IngestReceipt {
        ingest(self.store, events).await
    }

    pub(super) async fn task(&self, task_id: &str) -> Option<TaskDetail> {
        self.store
            .task(self.project, &key(task_id))
            .await
            .expect("reading a task")
    }

    /// The ids of all tasks that match, through pages of `limit`.
    pub(super) async fn list(
        &self,
        filter: &TaskFilter,
        sort: TaskSort,
        limit: u32,
    ) -> Vec<TaskSummary> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let request = PageRequest::first(limit).after(after);
            let page = self
                .store
                .tasks(self.project, filter, sort, request)
                .await
                .expect("a page of tasks");
            assert!(
                page.items.len() <= limit as usize,
                "a page must keep to its limit"
            );
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    pub(super) async fn ids(&self, filter: &TaskFilter) -> Vec<String> {
        let tasks = self.list(filter, TaskSort::UpdatedAsc, 100).await;
        tasks.into_iter().map(|task| task.key.task_id).collect()
    }

    pub(super) fn command(&self, issued_at: Timestamp) -> IssueCommand {
        IssueCommand {
            id: CommandId::from_u128(fresh_id()),
            project_id: self.project,
            agent_id: self.agent,
            issued_by: None,
            action: "retry_task".to_owned(),
            target_type: "task".to_owned(),
            target_id: "celery:t1".to_owned(),
            payload: r#"{"engine":"celery","task_id":"t1"}"#.to_owned(),
            idempotency: None,
            issued_at,
            timeout_at: issued_at.plus(seconds(60)),
            claim_for: None,
            audit: audit(ChainId::Project(self.project), "task.retry"),
        }
    }

    pub(super) fn claim(&self, link: LinkId, now: Timestamp) -> ClaimCommands {
        ClaimCommands {
            only: None,
            agent_id: self.agent,
            link_id: link,
            engines: vec![ENGINE.to_owned()],
            now,
            limit: 10,
        }
    }

    /// Opens a link of the agent.
    pub(super) async fn open_link(&self) -> LinkId {
        let open = self.link(at_s(0));
        let link = open.link_id;
        self.store.open_link(open).await.expect("opening a link");
        link
    }

    pub(super) fn link(&self, at: Timestamp) -> OpenLink {
        OpenLink {
            link_id: new_link(),
            agent_id: self.agent,
            replica: ReplicaId::from_u128(REPLICA),
            worker_id: Some("slot-1".to_owned()),
            worker_role: None,
            pid: Some(4242),
            started_at: Some(at_s(-100)),
            profile: AgentProfile {
                framework: Some("bare".to_owned()),
                engines: vec![ENGINE.to_owned()],
                ..AgentProfile::default()
            },
            at,
        }
    }
}

pub(super) fn advance(
    id: CommandId,
    agent: AgentId,
    input: CommandInput,
    at: Timestamp,
) -> AdvanceCommand {
    AdvanceCommand {
        id,
        agent_id: Some(agent),
        heard_on: None,
        input,
        result: None,
        error: None,
        at,
        retry_link: None,
        audit: None,
    }
}

pub(super) fn first_beat(replica: u128) -> ReplicaBeat {
    ReplicaBeat {
        replica: ReplicaId::from_u128(replica),
        is_first: true,
        announced: 0,
        now: at_s(0),
    }
}

/// Makes a brain known.
pub(super) async fn register(store: &dyn Store, replica: u128) {
    let _ = store.beat(first_beat(replica)).await.expect("a beat");
}

/// The lease of the scene's brain on what it does for all.
pub(super) async fn upkeep(store: &dyn Store, now: Timestamp) -> LeaseGrant {
    let request = LeaseRequest {
        name: "upkeep".to_owned(),
        holder: ReplicaId::from_u128(REPLICA),
        ttl: seconds(10),
        now,
    };
    match store.try_lease(request).await.expect("an answer") {
        LeaseOutcome::Held(grant) => grant,
        LeaseOutcome::Taken { until } => panic!("taken until {until}"),
    }
}

pub(super) fn new_link() -> LinkId {
    LinkId::from_u128(fresh_id())
}

pub(super) fn key(task_id: &str) -> TaskKey {
    TaskKey::new(ENGINE, task_id)
}

pub(super) fn audit_key() -> Arc<AuditKey> {
    Arc::new(AuditKey::new("k1", [7; 32]))
}

/// An entry to append to `chain`.
pub(super) fn audit(chain: ChainId, action: &str) -> AuditWrite {
    AuditWrite {
        id: AuditId::from_u128(fresh_id()),
        chain,
        draft: AuditDraft::new(at_s(0), Actor::System, action),
        key: audit_key(),
    }
}

pub(super) fn new_project(slug: &str) -> CreateProject {
    CreateProject {
        id: ProjectId::from_u128(fresh_id()),
        slug: slug.to_owned(),
        name: slug.to_uppercase(),
        at: at_s(0),
        audit: audit(ChainId::Instance, "project.create"),
    }
}

pub(super) async fn create_project(store: &dyn Store, slug: &str) -> ProjectId {
    let create = new_project(slug);
    let id = create.id;
    let _ = store
        .create_project(create)
        .await
        .expect("creating a project");
    id
}

pub(super) fn new_agent(project: ProjectId, name: &str) -> MintAgent {
    let id = fresh_id();
    MintAgent {
        id: AgentId::from_u128(id),
        project_id: project,
        name: name.to_owned(),
        token_hash: token(id),
        minted_by: None,
        at: at_s(0),
        audit: audit(ChainId::Project(project), "agent.mint"),
    }
}

/// Some hash that stands for a token.
pub(super) fn token(seed: u128) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(&seed.to_be_bytes());
    hash
}

pub(super) async fn mint(store: &dyn Store, project: ProjectId, name: &str) -> AgentId {
    match store
        .mint_agent(new_agent(project, name))
        .await
        .expect("minting an agent")
    {
        MintOutcome::Minted(agent) => agent.id,
        MintOutcome::NameTaken => panic!("the name {name} is taken"),
    }
}

pub(super) fn new_user(email: &str) -> CreateUser {
    CreateUser {
        id: UserId::from_u128(fresh_id()),
        email: email.to_owned(),
        display_name: email.split('@').next().unwrap_or_default().to_owned(),
        password_hash: PasswordHash::new("$argon2id$x".to_owned()),
        is_admin: false,
        membership: None,
        at: at_s(0),
        audit: audit(ChainId::Instance, "user.create"),
    }
}

pub(super) fn member(mut user: CreateUser, project: ProjectId, role: Role) -> CreateUser {
    user.membership = Some((project, role));
    user
}

/// Walks all pages of anything.
pub(super) async fn all_pages<T, F, R>(limit: u32, mut page: F) -> Vec<T>
where
    F: FnMut(PageRequest) -> R,
    R: Future<Output = Result<Page<T>, StoreError>>,
{
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let found = page(PageRequest::first(limit).after(after))
            .await
            .expect("a page");
        assert!(
            found.items.len() <= limit as usize,
            "a page must keep to its limit"
        );
        all.extend(found.items);
        after = found.next;
        if after.is_none() {
            return all;
        }
    }
}

/// Seeded numbers, the same in every run.
pub(super) struct Seeded(pub(super) u64);

impl Seeded {
    pub(super) const fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let number = (self.0 >> 16) as usize;
        number % end
    }

    pub(super) fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }
}
