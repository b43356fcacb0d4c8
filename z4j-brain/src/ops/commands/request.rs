//! What a person can ask an engine to do with a task.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use z4j_core::command::Action;
use z4j_core::id::{AgentId, TaskKey};

/// How long a cancel that waits for its agent is kept.
const NEXT_CONNECT_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What a person asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IssueRequest {
    /// The task it is about.
    pub(crate) task: TaskKey,
    /// What shall be done with it.
    pub(crate) intent: Intent,
    /// Who shall do it; the brain chooses when none is named.
    pub(crate) agent_id: Option<AgentId>,
    /// The caller's name for this request, so that it can send it again.
    pub(crate) idempotency_key: Option<String>,
}

/// What shall be done with a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Intent {
    /// Run it again.
    Retry(RetryOptions),
    /// Revoke it, and stop it when it runs.
    Cancel {
        /// How long to wait for the agent.
        when: When,
    },
}

/// How a task is run again.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RetryOptions {
    /// Positional arguments in place of the original ones.
    pub(crate) override_args: Option<Vec<Value>>,
    /// Named arguments in place of the original ones.
    pub(crate) override_kwargs: Option<Map<String, Value>>,
    /// Not before so many seconds from now.
    pub(crate) eta_seconds: Option<u32>,
}

/// Whether a command may wait for an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// It must be sent now or not at all.
    #[default]
    Now,
    /// It may wait until the agent is back.
    NextConnect,
}

impl IssueRequest {
    /// The wire action.
    pub(super) const fn action(&self) -> Action {
        match self.intent {
            Intent::Retry(_) => Action::RetryTask,
            Intent::Cancel { .. } => Action::CancelTask,
        }
    }

    /// Whether the command may wait for its agent.
    pub(super) const fn when(&self) -> When {
        match self.intent {
            Intent::Retry(_) => When::Now,
            Intent::Cancel { when } => when,
        }
    }

    /// How long the command may take in all.
    pub(super) const fn wait(&self, command_timeout: Duration) -> Duration {
        match self.when() {
            When::Now => command_timeout,
            When::NextConnect => NEXT_CONNECT_WAIT,
        }
    }

    /// What the request's target is called in rows, on the wire and in the audit chain.
    pub(super) fn target_id(&self) -> String {
        format!("{}:{}", self.task.engine, self.task.task_id)
    }

    /// The arguments that a person typed, which must not hold secrets because the row keeps them.
    pub(super) fn typed(&self) -> Value {
        match &self.intent {
            Intent::Retry(options) => json!({
                "args": options.override_args,
                "kwargs": options.override_kwargs,
            }),
            Intent::Cancel { .. } => Value::Null,
        }
    }

    /// The wire parameters (protocol §6.4). A name is sent when it is known, never a placeholder.
    pub(super) fn parameters(&self, task_name: Option<&str>) -> Map<String, Value> {
        let mut parameters = Map::new();
        parameters.insert("task_id".to_owned(), json!(self.task.task_id));
        parameters.insert("engine".to_owned(), json!(self.task.engine));
        if let Intent::Retry(options) = &self.intent {
            let members = [
                ("task_name", task_name.map(Value::from)),
                (
                    "override_args",
                    options.override_args.clone().map(Value::Array),
                ),
                (
                    "override_kwargs",
                    options.override_kwargs.clone().map(Value::Object),
                ),
                ("eta_seconds", options.eta_seconds.map(Value::from)),
            ];
            let given = members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)));
            parameters.extend(given);
        }
        parameters
    }

    /// SHA-256 of everything that makes this request the one it is.
    pub(super) fn digest(&self) -> [u8; 32] {
        let text = json!({
            "action": self.action().as_str(),
            "agent_id": self.agent_id.map(|id| id.to_string()),
            "next_connect": self.when() == When::NextConnect,
            "parameters": self.parameters(None),
        });
        // Objects of this JSON library are sorted, so equal requests have equal text.
        Sha256::digest(text.to_string().as_bytes()).into()
    }
}
