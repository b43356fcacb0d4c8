//! What a dashboard shows: rows of tasks and commands in the shapes of REST, and the counts of states.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use z4j_core::store::{CommandRow, TaskSummary};

use super::message::Message;

/// A task as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ShownTask {
    state: String,
    updated_at: String,
    retry_count: u32,
    name: Option<String>,
    queue: Option<String>,
    worker_name: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    retried_as: Option<String>,
    retry_of: Option<String>,
}

/// A command as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ShownCommand {
    status: String,
    error: Option<String>,
    completed_at: Option<String>,
}

/// What a dashboard shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// By engine and id.
    pub(crate) tasks: BTreeMap<(String, String), ShownTask>,
    /// By id.
    pub(crate) commands: BTreeMap<String, ShownCommand>,
    /// Tasks in each state; states without any are left out.
    pub(crate) states: BTreeMap<String, u64>,
}

impl Shown {
    /// Folds a message in; false when it cannot be read.
    pub(super) fn fold(&mut self, message: &Message) -> bool {
        match message.event.as_str() {
            "tasks" => self.put_tasks(&message.data),
            "command" => self.put_command(&message.data),
            "counters" => self.put_states(&message.data),
            _ => true,
        }
    }

    pub(super) fn put_tasks(&mut self, list: &Value) -> bool {
        items(list).is_some_and(|items| items.iter().all(|item| self.put_task(item)))
    }

    pub(super) fn put_commands(&mut self, list: &Value) -> bool {
        items(list).is_some_and(|items| items.iter().all(|item| self.put_command(item)))
    }

    pub(super) fn put_states(&mut self, of: &Value) -> bool {
        let states = of.get("states").cloned().unwrap_or_default();
        let states = serde_json::from_value::<BTreeMap<String, u64>>(states);
        let is_read = states.is_ok();
        self.states = states.unwrap_or_default();
        self.states.retain(|_, count| *count > 0);
        is_read
    }

    fn put_task(&mut self, row: &Value) -> bool {
        let key = text(row, "engine").zip(text(row, "task_id"));
        let task = ShownTask::deserialize(row).ok();
        let put = key
            .zip(task)
            .map(|(key, task)| self.tasks.insert(key, task));
        put.is_some()
    }

    fn put_command(&mut self, row: &Value) -> bool {
        let command = ShownCommand::deserialize(row).ok();
        let put = text(row, "id")
            .zip(command)
            .map(|(id, command)| self.commands.insert(id, command));
        put.is_some()
    }
}

fn items(list: &Value) -> Option<&Vec<Value>> {
    list.get("items")?.as_array()
}

fn text(row: &Value, name: &str) -> Option<String> {
    Some(row.get(name)?.as_str()?.to_owned())
}

impl From<&TaskSummary> for ShownTask {
    fn from(row: &TaskSummary) -> Self {
        Self {
            state: row.state.as_str().to_owned(),
            updated_at: row.state_at.to_string(),
            retry_count: row.retry_count,
            name: row.name.clone(),
            queue: row.queue.clone(),
            worker_name: row.worker.clone(),
            started_at: row.started_at.map(|at| at.to_string()),
            finished_at: row.finished_at.map(|at| at.to_string()),
            retried_as: row.retried_as.clone(),
            retry_of: row.retry_of.clone(),
        }
    }
}

impl From<&CommandRow> for ShownCommand {
    fn from(row: &CommandRow) -> Self {
        Self {
            status: row.state.as_str().to_owned(),
            error: row.error.clone(),
            completed_at: row.completed_at.map(|at| at.to_string()),
        }
    }
}
