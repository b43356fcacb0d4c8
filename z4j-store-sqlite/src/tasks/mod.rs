//! Reading tasks and their numbers.

mod detail;
mod list;
mod numbers;
mod query;
mod search;
mod summary;

use async_trait::async_trait;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::limits::PAGE_ROWS_MAX;
use z4j_core::store::{
    Facets, MinuteCount, Page, PageRequest, StateCount, StoreError, TaskDetail, TaskFilter,
    TaskQueries, TaskSort, TaskSummary, TaskTree,
};
use z4j_core::time::Timestamp;

pub(crate) use search::install;

use crate::store::SqliteStore;

#[async_trait]
impl TaskQueries for SqliteStore {
    async fn task(
        &self,
        project: ProjectId,
        task: &TaskKey,
    ) -> Result<Option<TaskDetail>, StoreError> {
        let task = task.clone();
        self.read("task", move |db| detail::one(db, project, &task))
            .await
    }

    async fn tasks_by_keys(
        &self,
        project: ProjectId,
        keys: &[TaskKey],
    ) -> Result<Vec<TaskSummary>, StoreError> {
        let bound = usize::try_from(PAGE_ROWS_MAX).unwrap_or(usize::MAX);
        let keys: Vec<TaskKey> = keys.iter().take(bound).cloned().collect();
        self.read("tasks by keys", move |db| detail::some(db, project, &keys))
            .await
    }

    async fn tasks(
        &self,
        project: ProjectId,
        filter: &TaskFilter,
        sort: TaskSort,
        page: PageRequest,
    ) -> Result<Page<TaskSummary>, StoreError> {
        let filter = filter.clone();
        self.read("tasks", move |db| {
            list::page(db, project, &filter, sort, &page)
        })
        .await
    }

    async fn task_tree(
        &self,
        project: ProjectId,
        task: &TaskKey,
        limit: u32,
    ) -> Result<Option<TaskTree>, StoreError> {
        let task = task.clone();
        self.read("task tree", move |db| {
            detail::tree(db, project, &task, limit)
        })
        .await
    }

    async fn facets(&self, project: ProjectId, limit: u32) -> Result<Facets, StoreError> {
        self.read("facets", move |db| numbers::facets(db, project, limit))
            .await
    }

    async fn state_counts(&self, project: ProjectId) -> Result<Vec<StateCount>, StoreError> {
        self.read("state counts", move |db| numbers::states(db, project))
            .await
    }

    async fn minute_counts(
        &self,
        project: ProjectId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MinuteCount>, StoreError> {
        self.read("minute counts", move |db| {
            numbers::minutes(db, project, since, until)
        })
        .await
    }
}
