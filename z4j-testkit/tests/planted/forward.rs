//! Parts of a store that hold a bug, and what the bug leaves alone in them.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::*;
use z4j_core::time::Timestamp;

use super::bugs::Planted;

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
