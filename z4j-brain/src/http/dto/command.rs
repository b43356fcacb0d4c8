//! Commands.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use z4j_core::id::{AgentId, CommandId, ProjectId, UserId};
use z4j_core::store::CommandRow;
use z4j_core::time::Timestamp;

use super::Json;

/// A command from a person to an engine.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Command {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: CommandId,
    #[schema(value_type = String, format = Uuid)]
    pub(crate) project_id: ProjectId,
    #[schema(value_type = String, format = Uuid)]
    pub(crate) agent_id: AgentId,
    #[schema(value_type = Option<String>, format = Uuid)]
    pub(crate) issued_by: Option<UserId>,
    pub(crate) issued_by_name: Option<String>,
    /// Such as `retry_task`.
    pub(crate) action: String,
    pub(crate) target_type: String,
    /// `engine:task_id` for a task.
    pub(crate) target_id: String,
    pub(crate) payload: Json,
    /// `pending dispatched acknowledged completed failed timed_out cancelled unknown`
    pub(crate) status: &'static str,
    /// A retry's names the new task as `new_task_id`.
    pub(crate) result: Option<Json>,
    pub(crate) error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) issued_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) dispatched_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) acknowledged_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) completed_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) timeout_at: Timestamp,
}

impl From<CommandRow> for Command {
    fn from(row: CommandRow) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            agent_id: row.agent_id,
            issued_by: row.issued_by,
            issued_by_name: row.issued_by_name,
            action: row.action,
            target_type: row.target_type,
            target_id: row.target_id,
            payload: Json::new(&row.payload),
            status: row.state.as_str(),
            result: Json::of(row.result.as_deref()),
            error: row.error,
            issued_at: row.issued_at,
            dispatched_at: row.dispatched_at,
            acknowledged_at: row.acknowledged_at,
            completed_at: row.completed_at,
            timeout_at: row.timeout_at,
        }
    }
}

/// A retry of a task.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryTask {
    pub(crate) engine: String,
    pub(crate) task_id: String,
    /// Without one, an agent that is online and able.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub(crate) agent_id: Option<AgentId>,
    /// An array, in place of the task's own positional arguments.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub(crate) override_args: Option<Vec<Value>>,
    /// An object, in place of the task's own named arguments.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) override_kwargs: Option<Map<String, Value>>,
    /// Start it this many seconds from now.
    #[serde(default)]
    pub(crate) eta_seconds: Option<u32>,
    /// The caller's own name for this write, so that it can be sent again.
    #[serde(default)]
    pub(crate) idempotency_key: Option<String>,
}

/// A cancel of a task.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelTask {
    pub(crate) engine: String,
    pub(crate) task_id: String,
    /// Without one, an agent that is online and able.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub(crate) agent_id: Option<AgentId>,
    /// The caller's own name for this write, so that it can be sent again.
    #[serde(default)]
    pub(crate) idempotency_key: Option<String>,
    /// `next_connect` keeps the command until its deadline when no agent is online.
    #[serde(default)]
    pub(crate) when: When,
}

/// When a command is to be handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// Now, or not at all.
    #[default]
    Now,
    /// When an agent connects.
    NextConnect,
}

/// Which commands are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CommandQuery {
    /// In this status.
    pub(crate) status: Option<String>,
    /// With this action.
    pub(crate) action: Option<String>,
    /// About this target.
    pub(crate) target_id: Option<String>,
    /// From `next_cursor`.
    pub(crate) cursor: Option<String>,
    /// 1 to 500, default 50.
    pub(crate) limit: Option<u32>,
}
