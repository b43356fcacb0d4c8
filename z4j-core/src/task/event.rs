//! One report about one task.

use serde_json::value::RawValue;

use crate::id::AgentId;
use crate::time::Timestamp;

use super::{EventKind, TaskFacts, read};

/// One report about one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEvent {
    /// What happened.
    pub kind: EventKind,
    /// When it happened by the clock of its source, within the window that the caller accepts.
    pub at: Timestamp,
    /// Who reported it.
    pub agent: Option<AgentId>,
    /// What else it says.
    pub facts: TaskFacts,
}

impl TaskEvent {
    /// A report that says nothing but that it happened.
    #[must_use]
    pub fn new(kind: EventKind, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            agent: None,
            facts: TaskFacts::default(),
        }
    }

    /// Reads the `data` member of an event frame. Members of the wrong type and placeholders count as absent.
    #[must_use]
    pub fn from_data(
        kind: EventKind,
        at: Timestamp,
        agent: Option<AgentId>,
        data: &RawValue,
    ) -> Self {
        let facts = read::facts(&kind, data);
        Self {
            kind,
            at,
            agent,
            facts,
        }
    }

    /// The same report, about this task. Engines name a retried task as its own parent; that is no parent.
    #[must_use]
    pub fn about(mut self, task_id: &str) -> Self {
        if self.facts.parent_task_id.as_deref() == Some(task_id) {
            self.facts.parent_task_id = None;
        }
        self
    }

    /// The same report with these facts.
    #[must_use]
    pub fn with_facts(mut self, facts: TaskFacts) -> Self {
        self.facts = facts;
        self
    }

    /// The same report from this agent.
    #[must_use]
    pub const fn with_agent(mut self, agent: AgentId) -> Self {
        self.agent = Some(agent);
        self
    }
}
