//! Reading tasks.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreError, TaskSort};
use crate::id::{AgentId, ProjectId, TaskKey};
use crate::limits::SUMMARY_MESSAGE_BYTES_MAX;
use crate::task::{TaskRecord, TaskState};
use crate::time::Timestamp;

/// Reads tasks and their numbers. Everything is within one project.
#[async_trait]
pub trait TaskQueries: Debug + Send + Sync + 'static {
    /// One task with its payloads and family links.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn task(
        &self,
        project: ProjectId,
        task: &TaskKey,
    ) -> Result<Option<TaskDetail>, StoreError>;

    /// The tasks of `keys` that there are, in any order; of more than [`crate::limits::PAGE_ROWS_MAX`] keys only the first.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn tasks_by_keys(
        &self,
        project: ProjectId,
        keys: &[TaskKey],
    ) -> Result<Vec<TaskSummary>, StoreError>;

    /// A page of tasks.
    ///
    /// # Contract
    /// Pages joined together must hold each matching task that did not change meanwhile exactly once; rows with no
    /// value for the sorted column come last in either direction.
    ///
    /// # Errors
    /// [`super::StoreErrorKind::InvalidQuery`] for a cursor of another query; else any [`StoreError`].
    async fn tasks(
        &self,
        project: ProjectId,
        filter: &TaskFilter,
        sort: TaskSort,
        page: PageRequest,
    ) -> Result<Page<TaskSummary>, StoreError>;

    /// The tasks that share a root with `task`, at most `limit`; `None` when the task is unknown.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn task_tree(
        &self,
        project: ProjectId,
        task: &TaskKey,
        limit: u32,
    ) -> Result<Option<TaskTree>, StoreError>;

    /// The most frequent values of the columns that lists filter by, at most `limit` of each.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn facets(&self, project: ProjectId, limit: u32) -> Result<Facets, StoreError>;

    /// How many tasks are in each state now. Must equal a count over the tasks.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn state_counts(&self, project: ProjectId) -> Result<Vec<StateCount>, StoreError>;

    /// How many tasks ended in each state in each minute of `[since, until)`, by minute.
    /// Must equal a count over the tasks by the minute of their final state.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn minute_counts(
        &self,
        project: ProjectId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<MinuteCount>, StoreError>;
}

/// Which tasks are wanted. Empty members do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Any of these states.
    pub states: Vec<TaskState>,
    /// The exact name.
    pub name: Option<String>,
    /// The exact queue.
    pub queue: Option<String>,
    /// The exact worker.
    pub worker: Option<String>,
    /// The exact engine.
    pub engine: Option<String>,
    /// A text within the task id, the name or the arguments, without regard to ASCII case.
    pub search: Option<String>,
    /// State reached at or after this.
    pub since: Option<Timestamp>,
    /// State reached before this.
    pub until: Option<Timestamp>,
}

/// A task as lists show it: no payloads.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSummary {
    /// Which task.
    pub key: TaskKey,
    /// The task's registered name.
    pub name: Option<String>,
    /// The queue it came through.
    pub queue: Option<String>,
    /// Where it stands.
    pub state: TaskState,
    /// When it got there; `updated_at` in REST.
    pub state_at: Timestamp,
    /// The label or number the engine gave.
    pub priority: Option<String>,
    /// The class of the error of the current outcome.
    pub exception: Option<String>,
    /// The first line of the error's message, at most [`crate::limits::SUMMARY_MESSAGE_BYTES_MAX`].
    pub exception_message: Option<String>,
    /// How often it was tried again under the same id.
    pub retry_count: u32,
    /// Not before this.
    pub eta: Option<Timestamp>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// When a worker took it, in the current attempt.
    pub received_at: Option<Timestamp>,
    /// When it began to run, in the current attempt.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long it ran, in milliseconds.
    pub runtime_ms: Option<u64>,
    /// How long it waited from receipt to start, in milliseconds.
    pub wait_ms: Option<u64>,
    /// The worker of the current attempt.
    pub worker: Option<String>,
    /// The agent that reported the latest change.
    pub agent_id: Option<AgentId>,
    /// The task that sent this one.
    pub parent_task_id: Option<String>,
    /// The first task of the tree.
    pub root_task_id: Option<String>,
    /// The task that a person's retry of this one made.
    pub retried_as: Option<String>,
    /// The task that this one is a person's retry of.
    pub retry_of: Option<String>,
    /// Labels given in the application.
    pub tags: Vec<String>,
    /// When the brain first heard of it.
    pub created_at: Timestamp,
}

impl TaskSummary {
    /// What lists show of `record`. Family links are not in a record: they are left empty.
    #[must_use]
    pub fn from_record(key: TaskKey, record: &TaskRecord, created_at: Timestamp) -> Self {
        let view = record.view();
        Self {
            key,
            name: owned(view.name),
            queue: owned(view.queue),
            state: view.state,
            state_at: view.state_at,
            priority: owned(view.priority),
            exception: owned(view.exception),
            exception_message: view.exception_message.map(first_line),
            retry_count: view.retry_count,
            eta: view.eta,
            sent_at: view.sent_at,
            received_at: view.received_at,
            started_at: view.started_at,
            finished_at: view.finished_at,
            runtime_ms: view.runtime_ms,
            wait_ms: view.wait_ms,
            worker: owned(view.worker),
            agent_id: view.agent,
            parent_task_id: owned(view.parent_task_id),
            root_task_id: owned(view.root_task_id),
            retried_as: None,
            retry_of: None,
            tags: view.tags.iter().map(ToString::to_string).collect(),
            created_at,
        }
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let end = line.floor_char_boundary(SUMMARY_MESSAGE_BYTES_MAX);
    line.get(..end).unwrap_or_default().to_owned()
}

/// A task with its payloads.
#[derive(Clone, Debug)]
pub struct TaskDetail {
    /// As in lists.
    pub summary: TaskSummary,
    /// The merged record, which holds arguments, result and error.
    pub record: TaskRecord,
}

/// The tasks that share a root.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskTree {
    /// The root's id; it may be unknown to the brain itself.
    pub root: String,
    /// There were more than were asked for.
    pub truncated: bool,
    /// The tasks, oldest first.
    pub nodes: Vec<TaskNode>,
}

/// One task of a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskNode {
    /// Which task.
    pub key: TaskKey,
    /// Its name.
    pub name: Option<String>,
    /// Where it stands.
    pub state: TaskState,
    /// The task that sent it.
    pub parent_task_id: Option<String>,
    /// When it began to run.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long it ran, in milliseconds.
    pub runtime_ms: Option<u64>,
}

/// One value of a column and how many tasks have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    /// The value.
    pub value: String,
    /// Tasks with it.
    pub count: u64,
}

/// Values to filter by, most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// Task names.
    pub names: Vec<Facet>,
    /// Queues.
    pub queues: Vec<Facet>,
    /// Workers.
    pub workers: Vec<Facet>,
    /// Engines.
    pub engines: Vec<Facet>,
}

/// Tasks in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateCount {
    /// The state.
    pub state: TaskState,
    /// Tasks in it.
    pub count: u64,
}

/// Tasks that ended in a state within a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinuteCount {
    /// The start of the minute.
    pub minute: Timestamp,
    /// The final state.
    pub state: TaskState,
    /// Tasks that reached it then.
    pub count: u64,
}
