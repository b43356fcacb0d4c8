//! Reading tasks and their numbers.

mod days;
mod detail;
mod estimate;
mod links;
mod list;
mod mover;
mod needle;
mod numbers;
mod order;
#[cfg(test)]
mod plans;
mod receipt;
mod search;
mod sql;
mod step;
mod summary;
mod text;
mod walk;

use async_trait::async_trait;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{
    Facets, MinuteCount, Page, PageRequest, StateCount, StoreError, TaskDetail, TaskFilter,
    TaskQueries, TaskSort, TaskSummary, TaskTree,
};
use z4j_core::time::Timestamp;

pub(crate) use mover::Mover;
pub(crate) use text::search_words;

use crate::store::PgStore;

#[async_trait]
impl TaskQueries for PgStore {
    async fn task(
        &self,
        project: ProjectId,
        task: &TaskKey,
    ) -> Result<Option<TaskDetail>, StoreError> {
        self.read("task", &(project, task), |db, (project, task)| {
            Box::pin(detail::one(db, *project, task))
        })
        .await
    }

    async fn tasks_by_keys(
        &self,
        project: ProjectId,
        keys: &[TaskKey],
    ) -> Result<Vec<TaskSummary>, StoreError> {
        self.read("tasks by keys", &(project, keys), |db, (project, keys)| {
            Box::pin(detail::some(db, *project, keys))
        })
        .await
    }

    async fn tasks(
        &self,
        project: ProjectId,
        filter: &TaskFilter,
        sort: TaskSort,
        page: PageRequest,
    ) -> Result<Page<TaskSummary>, StoreError> {
        let request = list::Request {
            project,
            filter,
            sort,
            page,
        };
        if list::is_simple(&request) {
            return self
                .read("tasks", &request, |db, request| {
                    Box::pin(list::page(db, request))
                })
                .await;
        }
        // The others have several steps, and settings of their own.
        self.read_snapshot("tasks", &request, |db, request| {
            Box::pin(list::chosen_page(db, request))
        })
        .await
    }

    async fn task_tree(
        &self,
        project: ProjectId,
        task: &TaskKey,
        limit: u32,
    ) -> Result<Option<TaskTree>, StoreError> {
        let request = (project, task, limit);
        self.read_snapshot("task tree", &request, |db, (project, task, limit)| {
            Box::pin(detail::tree(db, *project, task, *limit))
        })
        .await
    }

    async fn facets(&self, project: ProjectId, limit: u32) -> Result<Facets, StoreError> {
        self.read("facets", &(project, limit), |db, (project, limit)| {
            Box::pin(numbers::facets(db, *project, *limit))
        })
        .await
    }

    async fn state_counts(&self, project: ProjectId) -> Result<Vec<StateCount>, StoreError> {
        self.read("state counts", &project, |db, project| {
            Box::pin(numbers::states(db, *project))
        })
        .await
    }

    async fn minute_counts(
        &self,
        project: ProjectId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MinuteCount>, StoreError> {
        let request = (project, since, until);
        self.read("minute counts", &request, |db, (project, since, until)| {
            Box::pin(numbers::minutes(db, *project, *since, *until))
        })
        .await
    }
}
