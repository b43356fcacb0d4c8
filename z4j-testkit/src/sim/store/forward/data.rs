//! Events, tasks and the audit log, with hooks.

use async_trait::async_trait;
use z4j_core::audit::{AuditEntry, ChainHead, ChainId};
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{
    AuditStore, AuditWrite, EventRow, EventStore, Facets, IngestBatch, IngestReceipt, MinuteCount,
    Page, PageRequest, StateCount, StoreError, StreamGap, StreamKey, TaskDetail, TaskFilter,
    TaskQueries, TaskSort, TaskSummary, TaskTree,
};
use z4j_core::time::Timestamp;

use crate::sim::store::HookedStore;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl EventStore for HookedStore {
    async fn ingest(&self, batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
        self.hooks.before("ingest", true).await?;
        let done = self.hooks.ingest(&*self.inner, batch).await?;
        self.hooks.after("ingest", true).await?;
        Ok(done)
    }

    async fn task_events(
        &self,
        project: ProjectId,
        task: &TaskKey,
        page: PageRequest,
    ) -> Result<Page<EventRow>, StoreError> {
        self.hooks.before("task_events", false).await?;
        let done = self.inner.task_events(project, task, page).await?;
        self.hooks.after("task_events", false).await?;
        Ok(done)
    }

    async fn stream_position(&self, stream: StreamKey) -> Result<u64, StoreError> {
        self.hooks.before("stream_position", false).await?;
        let done = self.inner.stream_position(stream).await?;
        self.hooks.after("stream_position", false).await?;
        Ok(done)
    }

    async fn stream_gaps(
        &self,
        stream: StreamKey,
        limit: u32,
    ) -> Result<Vec<StreamGap>, StoreError> {
        self.hooks.before("stream_gaps", false).await?;
        let done = self.inner.stream_gaps(stream, limit).await?;
        self.hooks.after("stream_gaps", false).await?;
        Ok(done)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl TaskQueries for HookedStore {
    async fn task(
        &self,
        project: ProjectId,
        task: &TaskKey,
    ) -> Result<Option<TaskDetail>, StoreError> {
        self.hooks.before("task", false).await?;
        let done = self.inner.task(project, task).await?;
        self.hooks.after("task", false).await?;
        Ok(done)
    }

    async fn tasks_by_keys(
        &self,
        project: ProjectId,
        keys: &[TaskKey],
    ) -> Result<Vec<TaskSummary>, StoreError> {
        self.hooks.before("tasks_by_keys", false).await?;
        let done = self.inner.tasks_by_keys(project, keys).await?;
        self.hooks.after("tasks_by_keys", false).await?;
        Ok(done)
    }

    async fn tasks(
        &self,
        project: ProjectId,
        filter: &TaskFilter,
        sort: TaskSort,
        page: PageRequest,
    ) -> Result<Page<TaskSummary>, StoreError> {
        self.hooks.before("tasks", false).await?;
        let done = self.inner.tasks(project, filter, sort, page).await?;
        self.hooks.after("tasks", false).await?;
        Ok(done)
    }

    async fn task_tree(
        &self,
        project: ProjectId,
        task: &TaskKey,
        limit: u32,
    ) -> Result<Option<TaskTree>, StoreError> {
        self.hooks.before("task_tree", false).await?;
        let done = self.inner.task_tree(project, task, limit).await?;
        self.hooks.after("task_tree", false).await?;
        Ok(done)
    }

    async fn facets(&self, project: ProjectId, limit: u32) -> Result<Facets, StoreError> {
        self.hooks.before("facets", false).await?;
        let done = self.inner.facets(project, limit).await?;
        self.hooks.after("facets", false).await?;
        Ok(done)
    }

    async fn state_counts(&self, project: ProjectId) -> Result<Vec<StateCount>, StoreError> {
        self.hooks.before("state_counts", false).await?;
        let done = self.hooks.state_counts(&*self.inner, project).await?;
        self.hooks.after("state_counts", false).await?;
        Ok(done)
    }

    async fn minute_counts(
        &self,
        project: ProjectId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MinuteCount>, StoreError> {
        self.hooks.before("minute_counts", false).await?;
        let done = self.inner.minute_counts(project, since, until).await?;
        self.hooks.after("minute_counts", false).await?;
        Ok(done)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl AuditStore for HookedStore {
    async fn append_audit(&self, entries: Vec<AuditWrite>) -> Result<(), StoreError> {
        self.hooks.before("append_audit", true).await?;
        let done = self.inner.append_audit(entries).await?;
        self.hooks.after("append_audit", true).await?;
        Ok(done)
    }

    async fn audit_page(
        &self,
        chain: ChainId,
        action: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, StoreError> {
        self.hooks.before("audit_page", false).await?;
        let done = self.inner.audit_page(chain, action, page).await?;
        self.hooks.after("audit_page", false).await?;
        Ok(done)
    }

    async fn audit_range(
        &self,
        chain: ChainId,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.hooks.before("audit_range", false).await?;
        let done = self.inner.audit_range(chain, after_seq, limit).await?;
        self.hooks.after("audit_range", false).await?;
        Ok(done)
    }

    async fn audit_heads(&self) -> Result<Vec<(ChainId, ChainHead)>, StoreError> {
        self.hooks.before("audit_heads", false).await?;
        let done = self.inner.audit_heads().await?;
        self.hooks.after("audit_heads", false).await?;
        Ok(done)
    }
}
