//! Agents, their links, and the workers and queues that they report.

mod agents;
pub(crate) mod links;
mod losses;
mod profile;
mod queues;
mod reports;
mod rounds;
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
use crate::store::PgStore;

#[async_trait]
impl FleetStore for PgStore {
    async fn mint_agent(&self, mint: MintAgent) -> Result<MintOutcome, StoreError> {
        self.write("mint agent", &mint, |db, mint| {
            Box::pin(agents::mint(db, mint))
        })
        .await
    }

    async fn replace_token(&self, replace: ReplaceToken) -> Result<Option<AgentRow>, StoreError> {
        self.write("replace token", &replace, |db, replace| {
            Box::pin(agents::replace_token(db, replace))
        })
        .await
    }

    async fn revoke_agent(&self, revoke: RevokeAgent) -> Result<Option<AgentRow>, StoreError> {
        self.write("revoke agent", &revoke, |db, revoke| {
            Box::pin(agents::revoke(db, revoke))
        })
        .await
    }

    async fn agent_by_token(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<AgentIdentity>, StoreError> {
        self.read("agent by token", &(token_hash, now), |db, (token, now)| {
            Box::pin(agents::by_token(db, token, *now))
        })
        .await
    }

    async fn agents(&self, project: ProjectId) -> Result<Vec<AgentRow>, StoreError> {
        self.read("agents", &project, |db, project| {
            Box::pin(profile::all(db, *project))
        })
        .await
    }

    async fn agent(&self, project: ProjectId, id: AgentId) -> Result<Option<AgentRow>, StoreError> {
        self.read("agent", &(project, id), |db, (project, id)| {
            Box::pin(profile::find(db, *project, *id))
        })
        .await
    }

    async fn open_link(&self, open: OpenLink) -> Result<(), StoreError> {
        self.write("open link", &open, |db, open| {
            Box::pin(links::open(db, open))
        })
        .await
    }

    async fn close_links(&self, closes: Vec<CloseLink>) -> Result<Vec<WorkerRow>, StoreError> {
        self.write("close links", &closes, |db, closes| {
            Box::pin(links::close(db, closes))
        })
        .await
    }

    async fn record_reports(&self, batch: ReportBatch) -> Result<(), StoreError> {
        self.write("record reports", &batch, |db, batch| {
            Box::pin(reports::record(db, batch))
        })
        .await
    }

    async fn workers(&self, project: ProjectId) -> Result<Vec<WorkerRow>, StoreError> {
        self.read("workers", &project, |db, project| {
            Box::pin(workers::all(db, *project))
        })
        .await
    }

    async fn worker_owners(&self, project: ProjectId) -> Result<Vec<WorkerOwner>, StoreError> {
        self.read("worker owners", &project, |db, project| {
            Box::pin(workers::owners(db, *project))
        })
        .await
    }

    async fn queues(&self, project: ProjectId) -> Result<Vec<QueueRow>, StoreError> {
        self.read("queues", &project, |db, project| {
            Box::pin(queues::all(db, *project))
        })
        .await
    }

    async fn sweep_workers(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
        silent_after: Duration,
    ) -> Result<Vec<WorkerRow>, StoreError> {
        let since = now.minus(silent_after);
        self.write("sweep workers", &(grant, since), |db, (grant, since)| {
            Box::pin(async move {
                leases::check(db, grant).await?;
                workers::sweep(db, *since).await
            })
        })
        .await
    }
}
