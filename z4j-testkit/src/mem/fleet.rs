//! Agents, their links, and the workers and queues that they report: the trait; what it does is in the files beside it.

use std::time::Duration;

use async_trait::async_trait;
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::{
    AgentIdentity, AgentRow, CloseLink, FleetStore, LeaseGrant, LinkRow, MintAgent, MintOutcome,
    OpenLink, QueueRow, ReplaceToken, ReportBatch, RevokeAgent, StoreError, StoreErrorKind, Topic,
    WorkerOwner, WorkerRow,
};
use z4j_core::time::Timestamp;

use super::db::{Db, Link};
use super::{MemStore, agents, coordination, reports, workers};

#[async_trait]
impl FleetStore for MemStore {
    async fn mint_agent(&self, mint: MintAgent) -> Result<MintOutcome, StoreError> {
        self.write("mint_agent", |db| agents::mint(db, mint)).await
    }

    async fn replace_token(&self, replace: ReplaceToken) -> Result<Option<AgentRow>, StoreError> {
        let row = self
            .write("replace_token", |db| agents::replace_token(db, replace))
            .await;
        self.wake(Topic::Agents);
        row
    }

    async fn revoke_agent(&self, revoke: RevokeAgent) -> Result<Option<AgentRow>, StoreError> {
        let row = self
            .write("revoke_agent", |db| agents::revoke(db, revoke))
            .await;
        self.wake(Topic::Agents);
        row
    }

    async fn agent_by_token(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<AgentIdentity>, StoreError> {
        Ok(self.read(|db| agents::by_token(db, token_hash, now)))
    }

    async fn agents(&self, project: ProjectId) -> Result<Vec<AgentRow>, StoreError> {
        Ok(self.read(|db| agents::list(db, project)))
    }

    async fn agent(&self, project: ProjectId, id: AgentId) -> Result<Option<AgentRow>, StoreError> {
        Ok(self.read(|db| agents::one(db, project, id)))
    }

    async fn open_link(&self, open: OpenLink) -> Result<(), StoreError> {
        self.write("open_link", |db| self::open(db, open)).await?
    }

    async fn close_links(&self, closes: Vec<CloseLink>) -> Result<Vec<WorkerRow>, StoreError> {
        self.write("close_links", |db| close(db, &closes)).await
    }

    async fn record_reports(&self, batch: ReportBatch) -> Result<(), StoreError> {
        self.write("record_reports", |db| reports::record(db, batch))
            .await
    }

    async fn workers(&self, project: ProjectId) -> Result<Vec<WorkerRow>, StoreError> {
        Ok(self.read(|db| workers::list(db, project)))
    }

    async fn worker_owners(&self, project: ProjectId) -> Result<Vec<WorkerOwner>, StoreError> {
        Ok(self.read(|db| workers::owners(db, project)))
    }

    async fn queues(&self, project: ProjectId) -> Result<Vec<QueueRow>, StoreError> {
        Ok(self.read(|db| workers::queues(db, project)))
    }

    async fn sweep_workers(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
        silent_after: Duration,
    ) -> Result<Vec<WorkerRow>, StoreError> {
        self.write("sweep_workers", |db| {
            coordination::check(db, grant, "sweep_workers")?;
            Ok(workers::sweep(db, now.minus(silent_after)))
        })
        .await?
    }
}

/// The latest hello describes the agent, whichever process said it.
fn open(db: &mut Db, open: OpenLink) -> Result<(), StoreError> {
    if !db.replicas.contains_key(&open.replica) {
        return Err(StoreError::new(StoreErrorKind::Fenced, "open_link"));
    }
    let Some(agent) = db.agents.get_mut(&open.agent_id) else {
        return Ok(());
    };
    if agent.row.last_connected_at <= Some(open.at) {
        agent.row.profile = open.profile.clone();
    }
    agent.row.last_connected_at = agent.row.last_connected_at.max(Some(open.at));
    agent.row.last_seen_at = agent.row.last_seen_at.max(Some(open.at));
    db.links.entry(open.link_id).or_insert_with(|| Link {
        agent: open.agent_id,
        started_at: open.started_at,
        row: LinkRow {
            id: open.link_id,
            worker_id: open.worker_id,
            worker_role: open.worker_role,
            pid: open.pid,
            connected_at: open.at,
            last_seen_at: open.at,
            replica: open.replica,
            engines: open.profile.engines,
            capabilities: open.profile.capabilities,
        },
    });
    Ok(())
}

pub(super) fn close(db: &mut Db, closes: &[CloseLink]) -> Vec<WorkerRow> {
    let mut gone = Vec::new();
    for close in closes {
        db.links.remove(&close.link_id);
        gone.extend(workers::lose(db, close.link_id, close.at));
    }
    gone
}
