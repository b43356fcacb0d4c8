//! The actions that agents know.

use std::fmt;
use std::str::FromStr;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// An action of the wire protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

actions! {
    /// Enqueue a task.
    SubmitTask = "submit_task",
    /// Run a task again.
    RetryTask = "retry_task",
    /// Revoke a task, and stop it when it runs.
    CancelTask = "cancel_task",
    /// Run many tasks again.
    BulkRetry = "bulk_retry",
    /// Drop all messages of a queue.
    PurgeQueue = "purge_queue",
    /// Run a task of the dead-letter list again.
    RequeueDeadLetter = "requeue_dead_letter",
    /// List the dead letters.
    DlqList = "dlq.list",
    /// Restart a worker's pool, or the worker.
    RestartWorker = "restart_worker",
    /// Add processes to a worker.
    PoolGrow = "pool_grow",
    /// Take processes from a worker.
    PoolShrink = "pool_shrink",
    /// Let a worker read a queue.
    AddConsumer = "add_consumer",
    /// Stop a worker reading a queue.
    CancelConsumer = "cancel_consumer",
    /// Limit how often a task runs.
    RateLimit = "rate_limit",
    /// Ask the engine for the true state of a task.
    ReconcileTask = "reconcile_task",
    /// Enqueue a scheduled task now.
    ScheduleFire = "schedule.fire",
    /// Read every scheduler again.
    ScheduleResync = "schedule.resync",
    /// Enable a schedule.
    ScheduleEnable = "schedule.enable",
    /// Disable a schedule.
    ScheduleDisable = "schedule.disable",
    /// Run a schedule now.
    ScheduleTriggerNow = "schedule.trigger_now",
    /// Run a schedule now, through its scheduler.
    ScheduleTriggerNowViaScheduler = "schedule.trigger_now.via_scheduler",
    /// Delete a schedule.
    ScheduleDelete = "schedule.delete",
    /// Begin to mirror an outside scheduler.
    ScheduleExternalActivate = "schedule.external.activate",
    /// Steer the mirroring of an outside scheduler.
    ScheduleExternalControl = "schedule.external.control",
    /// Change a schedule of an outside scheduler.
    ScheduleExternalMutate = "schedule.external.mutate",
}

/// A text that names no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an action of the wire protocol")]
pub struct ParseActionError;

impl Action {
    /// Whether sending it twice does no more than sending it once, so that it may go to a second link.
    ///
    /// Firing is among them because agents keep a durable list of the fires that they carried out.
    #[must_use]
    pub const fn is_safe_to_resend(self) -> bool {
        matches!(
            self,
            Self::CancelTask
                | Self::ReconcileTask
                | Self::ScheduleFire
                | Self::ScheduleTriggerNow
                | Self::ScheduleTriggerNowViaScheduler
                | Self::ScheduleResync
                | Self::ScheduleEnable
                | Self::ScheduleDisable
        )
    }

    /// Whether it re-runs tasks with the arguments that the engine holds; such a command goes only to a process that
    /// says `retry_by_reference_v1` for the engine.
    #[must_use]
    pub const fn needs_retry_by_reference(self) -> bool {
        matches!(
            self,
            Self::RetryTask | Self::BulkRetry | Self::RequeueDeadLetter
        )
    }
}

/// [`Action::is_safe_to_resend`] for an action as stored; false for one that this program does not know.
#[must_use]
pub fn is_safe_to_resend(action: &str) -> bool {
    action
        .parse::<Action>()
        .is_ok_and(Action::is_safe_to_resend)
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == text)
            .ok_or(ParseActionError)
    }
}
