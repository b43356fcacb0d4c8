//! A project with an agent, for tests of several brains on one database.

#![allow(dead_code, reason = "each file of tests needs a part of it")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, PgConnection};
use z4j_core::audit::{Actor, AuditDraft, AuditKey, ChainId};
use z4j_core::id::{AgentId, AuditId, CommandId, LinkId, ProjectId, ReplicaId};
use z4j_core::store::{
    AgentProfile, AuditWrite, ClaimCommands, Coordination, CreateProject, FleetStore,
    IdentityStore, IssueCommand, MintAgent, OpenLink, ReplicaBeat,
};
use z4j_core::time::Timestamp;
use z4j_store_pg::PgStore;

/// A test that waits for longer waits for what will not come.
const WAIT_MAX: Duration = Duration::from_secs(60);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

pub(crate) fn fresh_id() -> u128 {
    u128::from(NEXT_ID.fetch_add(1, Ordering::Relaxed)) << 32
}

pub(crate) fn at_s(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_795_420_800_000_000 + seconds * 1_000_000)
}

pub(crate) fn audit_key() -> AuditKey {
    AuditKey::new("k1", [7; 32])
}

pub(crate) fn audit(chain: ChainId) -> AuditWrite {
    AuditWrite {
        id: AuditId::from_u128(fresh_id()),
        chain,
        draft: AuditDraft::new(at_s(0), Actor::System, "test.entry"),
        key: Arc::new(audit_key()),
    }
}

pub(crate) struct Team {
    pub(crate) project: ProjectId,
    pub(crate) agent: AgentId,
}

impl Team {
    pub(crate) async fn on(store: &PgStore) -> Self {
        let project = ProjectId::from_u128(fresh_id());
        let slug = format!("p{}", project.as_uuid().simple());
        let created = store
            .create_project(CreateProject {
                id: project,
                slug: slug.clone(),
                name: slug,
                at: at_s(0),
                audit: audit(ChainId::Instance),
            })
            .await;
        let _ = created.unwrap();
        let agent = AgentId::from_u128(fresh_id());
        let mut token_hash = [0; 32];
        token_hash[..16].copy_from_slice(agent.as_bytes());
        let minted = store
            .mint_agent(MintAgent {
                id: agent,
                project_id: project,
                name: "web".to_owned(),
                token_hash,
                minted_by: None,
                at: at_s(0),
                audit: audit(ChainId::Project(project)),
            })
            .await;
        let _ = minted.unwrap();
        Self { project, agent }
    }

    pub(crate) fn command(&self) -> IssueCommand {
        IssueCommand {
            id: CommandId::from_u128(fresh_id()),
            project_id: self.project,
            agent_id: self.agent,
            issued_by: None,
            action: "retry_task".to_owned(),
            target_type: "task".to_owned(),
            target_id: "celery:t1".to_owned(),
            payload: "{}".to_owned(),
            idempotency: None,
            issued_at: at_s(0),
            timeout_at: at_s(60),
            claim_for: None,
            audit: audit(ChainId::Project(self.project)),
        }
    }

    /// A link of the agent to a brain, which is made known.
    pub(crate) async fn link(&self, store: &PgStore, replica: u128) -> LinkId {
        let beat = ReplicaBeat {
            replica: ReplicaId::from_u128(replica),
            is_first: true,
            announced: 0,
            now: at_s(0),
        };
        let _ = store.beat(beat).await.unwrap();
        let link_id = LinkId::from_u128(fresh_id());
        let open = OpenLink {
            link_id,
            agent_id: self.agent,
            replica: ReplicaId::from_u128(replica),
            worker_id: None,
            worker_role: None,
            pid: None,
            started_at: None,
            profile: AgentProfile::default(),
            at: at_s(0),
        };
        store.open_link(open).await.unwrap();
        link_id
    }

    pub(crate) fn claim(&self, link: LinkId, limit: u32) -> ClaimCommands {
        ClaimCommands {
            only: None,
            agent_id: self.agent,
            link_id: link,
            engines: vec!["celery".to_owned()],
            now: at_s(1),
            limit,
        }
    }
}

/// Waits for what must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(WAIT_MAX, what)
        .await
        .expect("it must come")
}

/// Asks again and again until it is so.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    soon(async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

pub(crate) async fn run(conn: &mut PgConnection, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    conn.execute(sql).await.unwrap();
}

/// Ends the sessions of a database, but for the one that asks; only those whose last statement begins so.
pub(crate) async fn cut_off(conn: &mut PgConnection, statement: &str) {
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '{statement}%'"
    );
    run(conn, &sql).await;
}
