//! Agents and their fleet, with hooks.

use std::time::Duration;

use async_trait::async_trait;
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::{
    AgentIdentity, AgentRow, CloseLink, FleetStore, LeaseGrant, MintAgent, MintOutcome, OpenLink,
    QueueRow, ReplaceToken, ReportBatch, RevokeAgent, StoreError, WorkerOwner, WorkerRow,
};
use z4j_core::time::Timestamp;

use crate::sim::store::HookedStore;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl FleetStore for HookedStore {
    async fn mint_agent(&self, mint: MintAgent) -> Result<MintOutcome, StoreError> {
        self.hooks.before("mint_agent", true).await?;
        let done = self.inner.mint_agent(mint).await?;
        self.hooks.after("mint_agent", true).await?;
        Ok(done)
    }

    async fn replace_token(&self, replace: ReplaceToken) -> Result<Option<AgentRow>, StoreError> {
        self.hooks.before("replace_token", true).await?;
        let done = self.inner.replace_token(replace).await?;
        self.hooks.after("replace_token", true).await?;
        Ok(done)
    }

    async fn revoke_agent(&self, revoke: RevokeAgent) -> Result<Option<AgentRow>, StoreError> {
        self.hooks.before("revoke_agent", true).await?;
        let done = self.inner.revoke_agent(revoke).await?;
        self.hooks.after("revoke_agent", true).await?;
        Ok(done)
    }

    async fn agent_by_token(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<AgentIdentity>, StoreError> {
        self.hooks.before("agent_by_token", false).await?;
        let done = self.inner.agent_by_token(token_hash, now).await?;
        self.hooks.after("agent_by_token", false).await?;
        Ok(done)
    }

    async fn agents(&self, project: ProjectId) -> Result<Vec<AgentRow>, StoreError> {
        self.hooks.before("agents", false).await?;
        let done = self.inner.agents(project).await?;
        self.hooks.after("agents", false).await?;
        Ok(done)
    }

    async fn agent(&self, project: ProjectId, id: AgentId) -> Result<Option<AgentRow>, StoreError> {
        self.hooks.before("agent", false).await?;
        let done = self.inner.agent(project, id).await?;
        self.hooks.after("agent", false).await?;
        Ok(done)
    }

    async fn open_link(&self, open: OpenLink) -> Result<(), StoreError> {
        self.hooks.before("open_link", true).await?;
        let done = self.seen("open_link", self.inner.open_link(open).await)?;
        self.hooks.after("open_link", true).await?;
        Ok(done)
    }

    async fn close_links(&self, closes: Vec<CloseLink>) -> Result<Vec<WorkerRow>, StoreError> {
        self.hooks.before("close_links", true).await?;
        let done = self.inner.close_links(closes).await?;
        self.hooks.after("close_links", true).await?;
        Ok(done)
    }

    async fn record_reports(&self, batch: ReportBatch) -> Result<(), StoreError> {
        self.hooks.before("record_reports", true).await?;
        let done = self.inner.record_reports(batch).await?;
        self.hooks.after("record_reports", true).await?;
        Ok(done)
    }

    async fn workers(&self, project: ProjectId) -> Result<Vec<WorkerRow>, StoreError> {
        self.hooks.before("workers", false).await?;
        let done = self.inner.workers(project).await?;
        self.hooks.after("workers", false).await?;
        Ok(done)
    }

    async fn worker_owners(&self, project: ProjectId) -> Result<Vec<WorkerOwner>, StoreError> {
        self.hooks.before("worker_owners", false).await?;
        let done = self.inner.worker_owners(project).await?;
        self.hooks.after("worker_owners", false).await?;
        Ok(done)
    }

    async fn queues(&self, project: ProjectId) -> Result<Vec<QueueRow>, StoreError> {
        self.hooks.before("queues", false).await?;
        let done = self.inner.queues(project).await?;
        self.hooks.after("queues", false).await?;
        Ok(done)
    }

    async fn sweep_workers(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
        silent_after: Duration,
    ) -> Result<Vec<WorkerRow>, StoreError> {
        self.hooks.before("sweep_workers", true).await?;
        let swept = self.inner.sweep_workers(grant, now, silent_after).await;
        let done = self.seen("sweep_workers", swept)?;
        self.hooks.after("sweep_workers", true).await?;
        Ok(done)
    }
}
