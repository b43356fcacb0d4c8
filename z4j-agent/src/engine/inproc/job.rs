//! What a job is, to the one who submits it and to the one who runs it.

use std::backtrace::Backtrace;
use std::time::Duration;

use serde_json::{Map, Value};

/// The queue of a job that names none.
const DEFAULT_QUEUE: &str = "default";
/// Longest traceback that is kept, in characters (wire §5.1).
const TRACEBACK_CHARS_MAX: usize = 4096;

/// What shall run.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct JobSpec {
    /// The registered name.
    pub name: String,
    /// The queue it waits in.
    pub queue: String,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Named arguments.
    pub kwargs: Map<String, Value>,
    /// Attempts after the first one.
    pub retries_max: u32,
    /// How long to wait before another attempt.
    pub retry_delay: Duration,
    /// How long to wait before the first attempt.
    pub delay: Duration,
}

impl JobSpec {
    /// A job without arguments and without retries.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            queue: DEFAULT_QUEUE.to_owned(),
            args: Vec::new(),
            kwargs: Map::new(),
            retries_max: 0,
            retry_delay: Duration::ZERO,
            delay: Duration::ZERO,
        }
    }

    /// With these positional arguments.
    pub fn with_args(mut self, args: impl IntoIterator<Item = Value>) -> Self {
        self.args = args.into_iter().collect();
        self
    }

    /// With this named argument.
    pub fn with_kwarg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.kwargs.insert(name.to_owned(), value.into());
        self
    }

    /// In this queue.
    pub fn on_queue(mut self, queue: &str) -> Self {
        queue.clone_into(&mut self.queue);
        self
    }

    /// With this many further attempts, each after `delay`.
    pub const fn with_retries(mut self, retries_max: u32, delay: Duration) -> Self {
        self.retries_max = retries_max;
        self.retry_delay = delay;
        self
    }

    /// Not before `delay` is over.
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// One attempt of a job, given to its handler.
#[derive(Clone, Debug)]
pub struct Job {
    /// The engine's id of the job.
    pub task_id: String,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Named arguments.
    pub kwargs: Map<String, Value>,
    /// Attempts before this one.
    pub attempt: u32,
}

/// Why an attempt failed.
#[derive(Debug)]
pub struct JobError {
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) traceback: String,
}

impl JobError {
    /// A failure of this kind (a type's name, to group by) with a message. Where it was made is kept as traceback.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        let (kind, message) = (kind.into(), message.into());
        let frames = Backtrace::force_capture().to_string();
        let traceback = format!("{kind}: {message}\n{frames}");
        Self {
            traceback: traceback.chars().take(TRACEBACK_CHARS_MAX).collect(),
            kind,
            message,
        }
    }
}

/// Why a job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Too many jobs wait.
    #[error("too many jobs wait")]
    Full,
    /// Nobody registered a handler of this name.
    #[error("no handler is registered for this name")]
    UnknownName,
}
