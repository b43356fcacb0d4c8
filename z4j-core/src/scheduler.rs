//! The scheduler seam: what an agent asks of a scheduler in its process.

use std::fmt::Debug;

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::time::Timestamp;

/// A scheduler in an application's process, such as a cron table.
#[async_trait]
pub trait Scheduler: Debug + Send + Sync + 'static {
    /// What it is and what it can do. Declared means that it works.
    fn descriptor(&self) -> SchedulerDescriptor;

    /// Every schedule it holds, in one consistent view.
    ///
    /// # Errors
    /// [`SchedulerError`] when it cannot say.
    async fn list(&self) -> Result<Vec<ScheduleEntry>, SchedulerError>;

    /// A hint each time that [`Scheduler::list`] would answer something else. Hints may be joined.
    fn changes(&self) -> BoxStream<'static, ()>;

    /// Changes a schedule.
    ///
    /// # Contract
    /// The same change again must have one effect. `Err` means unknown.
    ///
    /// # Errors
    /// [`SchedulerError`] when it is not known whether the change had an effect.
    async fn apply(&self, change: ScheduleChange) -> Result<ScheduleOutcome, SchedulerError>;
}

/// What a scheduler is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulerDescriptor {
    /// Its name on the wire, such as `apalis-cron`.
    pub name: String,
    /// Capability tokens of the wire protocol, such as `enable`.
    pub capabilities: Vec<String>,
}

/// One schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleEntry {
    /// The scheduler's own key of it.
    pub source_key: String,
    /// Its name for people.
    pub name: String,
    /// The task it fires.
    pub task_name: String,
    /// `cron`, `interval`, `solar` or `clocked`.
    pub kind: String,
    /// The expression of that kind.
    pub expression: String,
    /// The time zone's name.
    pub timezone: String,
    /// The queue it sends to.
    pub queue: Option<String>,
    /// Whether it fires.
    pub is_enabled: bool,
    /// When it last fired.
    pub last_run_at: Option<Timestamp>,
    /// When it fires next.
    pub next_run_at: Option<Timestamp>,
}

/// A change of a schedule, named by its source key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleChange {
    /// Let it fire.
    Enable(String),
    /// Do not let it fire.
    Disable(String),
    /// Fire it once, now.
    Trigger(String),
    /// Remove it.
    Delete(String),
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum ScheduleOutcome {
    /// Done.
    Done,
    /// Refused without effect, with one sentence.
    Failed(String),
    /// This scheduler cannot do it.
    Unsupported,
}

/// It is not known what a scheduler did.
#[derive(Debug, thiserror::Error)]
#[error("the scheduler did not say what became of {operation}")]
pub struct SchedulerError {
    /// What was asked for.
    pub operation: String,
}
