//! The kinds of event that agents report.

use std::fmt;

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What an event says happened. Reading one never fails: a name that nobody knows is kept as it came.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $name,)+
            /// Anything else, `unknown` included, with the name that was sent.
            Unknown(Box<str>),
        }

        impl EventKind {
            /// Every kind that has a name of its own.
            pub const KNOWN: &'static [Self] = &[$(Self::$name),+];

            /// The kind that `text` names.
            #[must_use]
            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$name,)+
                    other => Self::Unknown(other.into()),
                }
            }

            /// The name on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }
    };
}

event_kinds! {
    /// Handed to a broker.
    TaskSent = "task.sent",
    /// Taken by a worker.
    TaskReceived = "task.received",
    /// An attempt began.
    TaskStarted = "task.started",
    /// An attempt ended well.
    TaskSucceeded = "task.succeeded",
    /// The last attempt ended with an error.
    TaskFailed = "task.failed",
    /// An attempt ended with an error and another one will follow.
    TaskRetried = "task.retried",
    /// Cancelled or expired.
    TaskRevoked = "task.revoked",
    /// Refused by a worker.
    TaskRejected = "task.rejected",
    /// A worker came up.
    WorkerOnline = "worker.online",
    /// A worker went down.
    WorkerOffline = "worker.offline",
    /// A worker is alive.
    WorkerHeartbeat = "worker.heartbeat",
    /// How many messages a queue holds.
    QueueDepthReport = "queue.depth_report",
    /// A scheduled run began.
    ScheduleRunStarted = "schedule.run_started",
    /// A scheduled run ended.
    ScheduleRunCompleted = "schedule.run_completed",
    /// A schedule came into being.
    ScheduleCreated = "schedule.created",
    /// A schedule changed.
    ScheduleUpdated = "schedule.updated",
    /// A schedule went away.
    ScheduleDeleted = "schedule.deleted",
    /// All schedules of a scheduler.
    ScheduleSnapshot = "schedule.snapshot",
}

impl EventKind {
    /// Whether the task machine takes events of this kind. Unknown kinds count: with a task id they show that the task exists.
    #[must_use]
    pub const fn may_concern_task(&self) -> bool {
        matches!(
            self,
            Self::TaskSent
                | Self::TaskReceived
                | Self::TaskStarted
                | Self::TaskSucceeded
                | Self::TaskFailed
                | Self::TaskRetried
                | Self::TaskRevoked
                | Self::TaskRejected
                | Self::Unknown(_)
        )
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
