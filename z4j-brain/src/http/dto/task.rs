//! Tasks.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use z4j_core::id::{AgentId, EventId};
use z4j_core::store::{EventRow, Facets, StateCount, TaskDetail, TaskNode, TaskSummary, TaskTree};
use z4j_core::time::Timestamp;

use super::Json;

/// A task. In lists and on the stream `args`, `kwargs`, `result` and `traceback` are absent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Task {
    pub(crate) engine: String,
    pub(crate) task_id: String,
    pub(crate) name: Option<String>,
    pub(crate) queue: Option<String>,
    /// `pending received started success failure retry revoked rejected lost unknown`
    pub(crate) state: &'static str,
    pub(crate) priority: Option<String>,
    #[serde(flatten)]
    pub(crate) payload: Option<TaskPayload>,
    /// The class of the error.
    pub(crate) exception: Option<String>,
    /// The error's own words; in lists the first line.
    pub(crate) exception_message: Option<String>,
    pub(crate) retry_count: u32,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) eta: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) sent_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) received_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) runtime_ms: Option<u64>,
    pub(crate) wait_ms: Option<u64>,
    pub(crate) worker_name: Option<String>,
    #[schema(value_type = Option<String>, format = Uuid)]
    pub(crate) agent_id: Option<AgentId>,
    pub(crate) parent_task_id: Option<String>,
    pub(crate) root_task_id: Option<String>,
    pub(crate) retried_as: Option<String>,
    pub(crate) retry_of: Option<String>,
    pub(crate) tags: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// The time of the last change of state.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) updated_at: Timestamp,
}

/// What a task was given and what came of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TaskPayload {
    pub(crate) args: Option<Json>,
    pub(crate) kwargs: Option<Json>,
    pub(crate) result: Option<Json>,
    pub(crate) traceback: Option<String>,
    /// Why it was retried, revoked or rejected.
    pub(crate) reason: Option<String>,
}

impl From<TaskSummary> for Task {
    fn from(row: TaskSummary) -> Self {
        Self {
            engine: row.key.engine,
            task_id: row.key.task_id,
            name: row.name,
            queue: row.queue,
            state: row.state.as_str(),
            priority: row.priority,
            payload: None,
            exception: row.exception,
            exception_message: row.exception_message,
            retry_count: row.retry_count,
            eta: row.eta,
            sent_at: row.sent_at,
            received_at: row.received_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            runtime_ms: row.runtime_ms,
            wait_ms: row.wait_ms,
            worker_name: row.worker,
            agent_id: row.agent_id,
            parent_task_id: row.parent_task_id,
            root_task_id: row.root_task_id,
            retried_as: row.retried_as,
            retry_of: row.retry_of,
            tags: row.tags,
            created_at: row.created_at,
            updated_at: row.state_at,
        }
    }
}

impl From<TaskDetail> for Task {
    fn from(detail: TaskDetail) -> Self {
        let view = detail.record.view();
        let payload = TaskPayload {
            args: Json::of(view.args),
            kwargs: Json::of(view.kwargs),
            result: Json::of(view.result),
            traceback: view.traceback.map(str::to_owned),
            reason: view.reason.map(str::to_owned),
        };
        let message = view.exception_message.map(str::to_owned);
        Self {
            payload: Some(payload),
            exception_message: message,
            ..Self::from(detail.summary)
        }
    }
}

/// Which tasks are wanted, and how.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TaskQuery {
    /// Any of these states; repeatable.
    pub(crate) state: Vec<String>,
    /// The exact name.
    pub(crate) name: Option<String>,
    /// The exact queue.
    pub(crate) queue: Option<String>,
    /// The exact worker.
    pub(crate) worker: Option<String>,
    /// The exact engine.
    pub(crate) engine: Option<String>,
    /// A text within the id, the name or the arguments.
    pub(crate) search: Option<String>,
    /// State reached at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) since: Option<Timestamp>,
    /// State reached before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) until: Option<Timestamp>,
    /// `-updated_at` (default), `updated_at`, `-received_at`, `-finished_at` or `-runtime_ms`.
    pub(crate) sort: Option<String>,
    /// From `next_cursor`.
    pub(crate) cursor: Option<String>,
    /// 1 to 500, default 50.
    pub(crate) limit: Option<u32>,
}

/// One event of a task.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TaskEvent {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: EventId,
    /// Such as `task.started`.
    pub(crate) kind: String,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) occurred_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) received_at: Timestamp,
    #[schema(value_type = String, format = Uuid)]
    pub(crate) agent_id: AgentId,
    pub(crate) worker: Option<String>,
    pub(crate) data: Json,
}

impl From<EventRow> for TaskEvent {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind.as_str().to_owned(),
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            agent_id: row.agent_id,
            worker: row.worker,
            data: Json::new(&row.data),
        }
    }
}

/// The tasks that share a root, oldest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Tree {
    pub(crate) root: String,
    /// There are more than are shown.
    pub(crate) truncated: bool,
    pub(crate) nodes: Vec<TreeNode>,
}

/// One task of a tree.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TreeNode {
    pub(crate) engine: String,
    pub(crate) task_id: String,
    pub(crate) name: Option<String>,
    pub(crate) state: &'static str,
    pub(crate) parent_task_id: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) runtime_ms: Option<u64>,
}

impl From<TaskTree> for Tree {
    fn from(tree: TaskTree) -> Self {
        Self {
            root: tree.root,
            truncated: tree.truncated,
            nodes: tree.nodes.into_iter().map(TreeNode::from).collect(),
        }
    }
}

impl From<TaskNode> for TreeNode {
    fn from(node: TaskNode) -> Self {
        Self {
            engine: node.key.engine,
            task_id: node.key.task_id,
            name: node.name,
            state: node.state.as_str(),
            parent_task_id: node.parent_task_id,
            started_at: node.started_at,
            finished_at: node.finished_at,
            runtime_ms: node.runtime_ms,
        }
    }
}

/// A value to filter by and how many tasks have it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FacetValue {
    pub(crate) value: String,
    pub(crate) count: u64,
}

/// Values for filter menus, most frequent first, at most 100 each.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TaskFacets {
    pub(crate) names: Vec<FacetValue>,
    pub(crate) queues: Vec<FacetValue>,
    pub(crate) workers: Vec<FacetValue>,
    pub(crate) engines: Vec<FacetValue>,
    pub(crate) states: Vec<FacetValue>,
}

impl TaskFacets {
    /// Joins what the store knows of columns and of states.
    pub(crate) fn new(facets: Facets, states: &[StateCount]) -> Self {
        let values = |column: Vec<z4j_core::store::Facet>| {
            column
                .into_iter()
                .map(|facet| FacetValue {
                    value: facet.value,
                    count: facet.count,
                })
                .collect()
        };
        Self {
            names: values(facets.names),
            queues: values(facets.queues),
            workers: values(facets.workers),
            engines: values(facets.engines),
            states: states
                .iter()
                .filter(|state| state.count > 0)
                .map(|state| FacetValue {
                    value: state.state.as_str().to_owned(),
                    count: state.count,
                })
                .collect(),
        }
    }
}
