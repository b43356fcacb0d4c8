//! Agents, their links, and the workers and queues that they report.

mod agents;
pub(crate) mod links;
mod profile;
mod queues;
mod reports;
mod workers;

use std::time::Duration;

use async_trait::async_trait;
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::{
    AgentIdentity, AgentRow, CloseLink, FleetStore, LeaseGrant, MintAgent, MintOutcome, OpenLink,
    QueueRow, ReplaceToken, ReportBatch, RevokeAgent, StoreError, WorkerOwner, WorkerRow,
};
use z4j_core::time::Timestamp;

use crate::leases;
use crate::store::SqliteStore;

#[async_trait]
impl FleetStore for SqliteStore {
    async fn mint_agent(&self, mint: MintAgent) -> Result<MintOutcome, StoreError> {
        self.write("mint agent", move |tx| agents::mint(tx, &mint))
            .await
    }

    async fn replace_token(&self, replace: ReplaceToken) -> Result<Option<AgentRow>, StoreError> {
        self.write("replace token", move |tx| {
            agents::replace_token(tx, &replace)
        })
        .await
    }

    async fn revoke_agent(&self, revoke: RevokeAgent) -> Result<Option<AgentRow>, StoreError> {
        self.write("revoke agent", move |tx| agents::revoke(tx, &revoke))
            .await
    }

    async fn agent_by_token(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<AgentIdentity>, StoreError> {
        let token_hash = *token_hash;
        self.read("agent by token", move |db| {
            agents::by_token(db, &token_hash, now)
        })
        .await
    }

    async fn agents(&self, project: ProjectId) -> Result<Vec<AgentRow>, StoreError> {
        self.read("agents", move |db| profile::all(db, project))
            .await
    }

    async fn agent(&self, project: ProjectId, id: AgentId) -> Result<Option<AgentRow>, StoreError> {
        self.read("agent", move |db| profile::find(db, project, id))
            .await
    }

    async fn open_link(&self, open: OpenLink) -> Result<(), StoreError> {
        self.write("open link", move |tx| links::open(tx.db, &open))
            .await
    }

    async fn close_links(&self, closes: Vec<CloseLink>) -> Result<Vec<WorkerRow>, StoreError> {
        self.write("close links", move |tx| links::close(tx.db, &closes))
            .await
    }

    async fn record_reports(&self, batch: ReportBatch) -> Result<(), StoreError> {
        self.write("record reports", move |tx| reports::record(tx, &batch))
            .await
    }

    async fn workers(&self, project: ProjectId) -> Result<Vec<WorkerRow>, StoreError> {
        self.read("workers", move |db| workers::all(db, project))
            .await
    }

    async fn worker_owners(&self, project: ProjectId) -> Result<Vec<WorkerOwner>, StoreError> {
        self.read("worker owners", move |db| workers::owners(db, project))
            .await
    }

    async fn queues(&self, project: ProjectId) -> Result<Vec<QueueRow>, StoreError> {
        self.read("queues", move |db| queues::all(db, project))
            .await
    }

    async fn sweep_workers(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
        silent_after: Duration,
    ) -> Result<Vec<WorkerRow>, StoreError> {
        let grant = grant.clone();
        self.write("sweep workers", move |tx| {
            leases::check(tx.db, &grant)?;
            workers::sweep(tx.db, now.minus(silent_after))
        })
        .await
    }
}
