//! Taking in what agents report.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::tasks::TaskSummary;
use super::{Page, PageRequest, StoreError, StreamGap, StreamKey, StreamSegment};
use crate::id::{AgentId, EventId, ProjectId, TaskKey};
use crate::redact::Redacted;
use crate::task::{EventKind, TaskEvent, Transition};
use crate::time::Timestamp;

/// Takes in events, durably and once.
#[async_trait]
pub trait EventStore: Debug + Send + Sync + 'static {
    /// Stores a batch in one transaction: event rows, merged task records, counters, quarantine. All or none.
    ///
    /// # Contract
    /// - `Ok` must mean durable: the batch survives the loss of power.
    /// - An event whose id is stored already in its project must change nothing ([`EventOutcome::Duplicate`]); the
    ///   same id twice within a batch counts once.
    /// - Task records change only through [`crate::task::apply`], once for each event that was inserted; counters by
    ///   [`crate::task::counter_delta`] only.
    /// - An event that can never be stored must not fail its neighbours ([`EventOutcome::Poison`]); among these are
    ///   events of a project that does not exist.
    /// - Streams move in the same transaction: each of [`IngestBatch::streams`] in turn, by [`StreamSegment::beyond`]; the
    ///   new part of a gap is kept. Where one has a hole, nothing of the batch is written
    ///   ([`super::StoreErrorKind::StreamHole`]).
    /// - The same batch again must leave the same rows.
    ///
    /// # Errors
    /// Any [`StoreError`]: the caller must not acknowledge and may send the batch again.
    async fn ingest(&self, batch: IngestBatch) -> Result<IngestReceipt, StoreError>;

    /// The events of one task, by `occurred_at` and then by [`timeline_rank`].
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn task_events(
        &self,
        project: ProjectId,
        task: &TaskKey,
        page: PageRequest,
    ) -> Result<Page<EventRow>, StoreError>;

    /// Up to which position nothing of a stream is missing; 0 for an unknown one.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn stream_position(&self, stream: StreamKey) -> Result<u64, StoreError>;

    /// The positions of a stream that were declared lost, in order, at most `limit`.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn stream_gaps(
        &self,
        stream: StreamKey,
        limit: u32,
    ) -> Result<Vec<StreamGap>, StoreError>;
}

/// One event on its way into the store.
#[derive(Clone, Debug)]
pub struct IngestEvent {
    /// Identity, a pure function of what was sent ([`crate::identity`]).
    pub id: EventId,
    /// The tenant, from the authenticated link.
    pub project_id: ProjectId,
    /// Who reported it, from the authenticated link.
    pub agent_id: AgentId,
    /// The engine's name.
    pub engine: Arc<str>,
    /// What happened.
    pub kind: EventKind,
    /// The engine's id of the task; empty for what is not about a task.
    pub task_id: Box<str>,
    /// The time as sent, kept within 1970 and 2200. As `id`, a pure function of what was sent: the same event comes with the
    /// same one whoever sends it and whenever, because a store may keep events under both.
    pub sent_at: Timestamp,
    /// The time to show and to merge by: `sent_at` clamped around the time of receipt.
    pub occurred_at: Timestamp,
    /// The worker named in the event.
    pub worker: Option<Box<str>>,
    /// The queue named in the event.
    pub queue: Option<Box<str>>,
    /// The event's `data` object as JSON text.
    pub data: Redacted<Bytes>,
    /// What the task machine merges; `None` for events that are not about a task.
    pub task: Option<TaskEvent>,
}

/// A frame or event that can never be stored, kept for a person to look at.
#[derive(Clone, Debug)]
pub struct PoisonFrame {
    /// Stable across resends, so that the quarantine holds it once.
    pub id: EventId,
    /// The tenant.
    pub project_id: ProjectId,
    /// Who sent it.
    pub agent_id: AgentId,
    /// Stable word for why, such as `malformed_event`.
    pub reason: &'static str,
    /// One sentence with the details.
    pub detail: String,
    /// The start of the redacted frame, at most [`crate::limits::QUARANTINE_EXCERPT_BYTES_MAX`].
    pub excerpt: Redacted<Bytes>,
}

/// What one transaction takes in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IngestBatch {
    /// When the brain took the batch up.
    pub received_at: Timestamp,
    /// The events, of any number of projects and agents, in order of receipt.
    pub events: Vec<IngestEvent>,
    /// What could not become an event.
    pub poison: Vec<PoisonFrame>,
    /// What the batch adds to resumable streams, in order for each of them.
    pub streams: Vec<StreamSegment>,
}

impl IngestBatch {
    /// A batch of `events`.
    #[must_use]
    pub const fn new(received_at: Timestamp, events: Vec<IngestEvent>) -> Self {
        Self {
            received_at,
            events,
            poison: Vec::new(),
            streams: Vec::new(),
        }
    }

    /// Adds what goes to the quarantine.
    #[must_use]
    pub fn with_poison(mut self, poison: Vec<PoisonFrame>) -> Self {
        self.poison = poison;
        self
    }

    /// Adds what moves streams.
    #[must_use]
    pub fn with_streams(mut self, streams: Vec<StreamSegment>) -> Self {
        self.streams = streams;
        self
    }
}

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum EventOutcome {
    /// Stored now.
    Inserted,
    /// Was stored before, or stands earlier in the batch.
    Duplicate,
    /// Can never be stored; it is in the quarantine with this reason.
    Poison(&'static str),
}

/// What a batch did.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct IngestReceipt {
    /// One outcome for each event, in the order of the batch.
    pub outcomes: Vec<EventOutcome>,
    /// The tasks that changed, each once, as they are after the batch.
    pub changes: Vec<TaskChange>,
}

/// A task that a batch changed.
#[derive(Clone, Debug)]
pub struct TaskChange {
    /// The tenant.
    pub project_id: ProjectId,
    /// The task as lists show it.
    pub task: TaskSummary,
    /// The step it made, when its state or the time of its state changed.
    pub transition: Option<Transition>,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Identity.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When, clamped for display.
    pub occurred_at: Timestamp,
    /// When the brain took it in.
    pub received_at: Timestamp,
    /// Who reported it first.
    pub agent_id: AgentId,
    /// The worker named in it.
    pub worker: Option<String>,
    /// The redacted `data` object as JSON text.
    pub data: String,
}

/// The order of kinds that happened in the same microsecond: that of an attempt.
#[must_use]
pub const fn timeline_rank(kind: &EventKind) -> u8 {
    match kind {
        EventKind::TaskSent => 0,
        EventKind::TaskReceived => 1,
        EventKind::TaskStarted => 2,
        EventKind::TaskRetried => 4,
        EventKind::TaskSucceeded
        | EventKind::TaskFailed
        | EventKind::TaskRevoked
        | EventKind::TaskRejected => 5,
        _ => 3,
    }
}
