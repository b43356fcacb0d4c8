//! What an event says about its task, besides that it happened.

use crate::time::Timestamp;

use super::Text;

/// What one event says about its task. Absent means that the event does not say.
///
/// `args`, `kwargs` and `result` are JSON text as received, never a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFacts {
    /// The registered name of the task.
    pub name: Option<Text>,
    /// The queue that it came through.
    pub queue: Option<Text>,
    /// The worker that has it.
    pub worker: Option<Text>,
    /// A label or a number, as the engine writes it.
    pub priority: Option<Text>,
    /// Positional arguments, JSON text.
    pub args: Option<Text>,
    /// Named arguments, JSON text.
    pub kwargs: Option<Text>,
    /// What a successful attempt returned, JSON text.
    pub result: Option<Text>,
    /// The class of the error.
    pub exception: Option<Text>,
    /// The error's own words.
    pub exception_message: Option<Text>,
    /// Where the error came from.
    pub traceback: Option<Text>,
    /// Why it was retried, revoked or rejected.
    pub reason: Option<Text>,
    /// How long the attempt ran, as the engine measured it.
    pub runtime_ms: Option<u64>,
    /// Not to be started before this time.
    pub eta: Option<Timestamp>,
    /// The task that started this one.
    pub parent_task_id: Option<Text>,
    /// The first task of the tree that this one belongs to.
    pub root_task_id: Option<Text>,
    /// How many attempts the engine counts before this one.
    pub retries: Option<u32>,
    /// Labels from the task's definition.
    pub tags: Vec<Text>,
}
