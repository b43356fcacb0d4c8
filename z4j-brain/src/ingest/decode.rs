//! From a verified event_batch to events that a store takes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use z4j_core::id::{AgentId, EventId, ProjectId};
use z4j_core::identity::{EventOrigin, event_id, filing_time, sent_time};
use z4j_core::limits;
use z4j_core::redact::Redacted;
use z4j_core::store::{AgentIdentity, IngestEvent, PoisonFrame};
use z4j_core::task::{EventKind, TaskEvent};
use z4j_core::time::Timestamp;
use z4j_core::wire::{BatchEntry, Event, EventBatch, RawJson};

use super::redact::{excerpt_of_raw, redact_event_data};
use crate::shared::Shared;

/// Events from further back are shown at this distance.
const PAST_MAX: Duration = Duration::from_secs(400 * 24 * 3600);
/// Events from further ahead are shown at this distance: by so much clocks may differ.
const AHEAD_MAX: Duration = limits::FRAME_SKEW_MAX;
/// Longest name of a kind that is kept, in bytes.
const KIND_BYTES_MAX: usize = 64;
/// Engine names of one link that are kept for sharing.
const ENGINES_MAX: usize = 64;

/// Reads the batches of one link.
#[derive(Debug)]
pub(crate) struct Decoder {
    project: ProjectId,
    agent: AgentId,
    engines: HashSet<Arc<str>>,
}

/// What a batch holds.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Entries in it, readable or not.
    pub(crate) received: usize,
    /// Those that can be stored.
    pub(crate) events: Vec<IngestEvent>,
    /// Those that cannot.
    pub(crate) poison: Vec<PoisonFrame>,
}

/// What identifies an entry of a batch across resends.
#[derive(Clone, Copy)]
struct Place<'a> {
    frame_id: &'a str,
    index: u32,
    now: Timestamp,
}

impl Decoder {
    /// For a link of `agent`.
    pub(crate) fn new(agent: &AgentIdentity) -> Self {
        Self {
            project: agent.project_id,
            agent: agent.agent_id,
            engines: HashSet::new(),
        }
    }

    /// Reads every entry for itself: one that cannot be stored does not cost its neighbours. `frame` is the message that
    /// `batch` borrows from.
    pub(crate) fn batch(
        &mut self,
        shared: &Shared,
        frame_id: &str,
        batch: &EventBatch<'_>,
        frame: &Bytes,
    ) -> Decoded {
        let now = shared.env.now();
        let mut decoded = Decoded {
            received: batch.entries.len(),
            events: Vec::with_capacity(batch.entries.len()),
            poison: Vec::new(),
        };
        for (index, entry) in (0_u32..).zip(&batch.entries) {
            let place = Place {
                frame_id,
                index,
                now,
            };
            match entry {
                BatchEntry::Event(event) => match self.event(shared, event, place, frame) {
                    Ok(event) => decoded.events.push(event),
                    Err(reason) => decoded
                        .poison
                        .push(self.poison(shared, event.raw, reason, place)),
                },
                BatchEntry::Malformed { raw, reason } => {
                    decoded
                        .poison
                        .push(self.poison(shared, *raw, reason, place));
                }
            }
        }
        decoded
    }

    /// A batch whose payload has no readable list of events: nothing of it can be stored, so it is kept for a person.
    pub(crate) fn malformed(
        &self,
        shared: &Shared,
        frame_id: &str,
        payload: RawJson<'_>,
    ) -> Decoded {
        let place = Place {
            frame_id,
            index: 0,
            now: shared.env.now(),
        };
        Decoded {
            poison: vec![self.poison(shared, payload, "malformed_batch", place)],
            ..Decoded::default()
        }
    }

    fn event(
        &mut self,
        shared: &Shared,
        event: &Event<'_>,
        place: Place<'_>,
        frame: &Bytes,
    ) -> Result<IngestEvent, &'static str> {
        if event.kind.len() > KIND_BYTES_MAX {
            return Err("kind_too_long");
        }
        if event.engine.is_empty() && !event.task_id.is_empty() {
            return Err("no_engine");
        }
        let id = self.identity(event, place);
        let kind = EventKind::parse(&event.kind);
        let sent = sent_time(&event.occurred_at);
        let window = (place.now.minus(PAST_MAX), place.now.plus(AHEAD_MAX));
        let occurred_at = sent.map_or(place.now, |sent| sent.clamp(window.0, window.1));
        let data = redact_event_data(&*shared.redactor, event.data, frame);
        let task = self.task_event(&kind, event, occurred_at, &data);
        let (worker, queue) = match &task {
            Some(task) => (
                boxed(task.facts.worker.as_deref()),
                boxed(task.facts.queue.as_deref()),
            ),
            None => named(&data),
        };
        Ok(IngestEvent {
            id,
            project_id: self.project,
            agent_id: self.agent,
            engine: self.engine(&event.engine),
            kind,
            task_id: event.task_id.as_ref().into(),
            // Without a readable time the row is filed under a constant, because a resend must find it.
            sent_at: filing_time(sent.unwrap_or(Timestamp::EPOCH)),
            occurred_at,
            worker,
            queue,
            data,
            task,
        })
    }

    /// From what was sent, before anything is clamped or redacted.
    fn identity(&self, event: &Event<'_>, place: Place<'_>) -> EventId {
        event_id(&EventOrigin {
            project: self.project,
            engine: &event.engine,
            task_id: &event.task_id,
            kind: &event.kind,
            occurred_at: &event.occurred_at,
            agent_event_id: &event.id,
            frame_id: place.frame_id,
            index: place.index,
        })
    }

    fn task_event(
        &self,
        kind: &EventKind,
        event: &Event<'_>,
        at: Timestamp,
        data: &Redacted<Bytes>,
    ) -> Option<TaskEvent> {
        if event.task_id.is_empty() || !kind.may_concern_task() {
            return None;
        }
        let Ok(data) = serde_json::from_slice::<&RawValue>(data.get()) else {
            return Some(TaskEvent::new(kind.clone(), at).with_agent(self.agent));
        };
        let mut task = TaskEvent::from_data(kind.clone(), at, Some(self.agent), data);
        // Celery names a retried task as its own parent; a tree must not have loops.
        if task.facts.parent_task_id.as_deref() == Some(&*event.task_id) {
            task.facts.parent_task_id = None;
        }
        Some(task)
    }

    fn engine(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.engines.get(name) {
            return Arc::clone(known);
        }
        let engine: Arc<str> = name.into();
        if self.engines.len() < ENGINES_MAX {
            self.engines.insert(Arc::clone(&engine));
        }
        engine
    }

    fn poison(
        &self,
        shared: &Shared,
        raw: RawJson<'_>,
        reason: &'static str,
        place: Place<'_>,
    ) -> PoisonFrame {
        let origin = EventOrigin {
            project: self.project,
            engine: "",
            task_id: "",
            kind: "",
            occurred_at: "",
            agent_event_id: "",
            frame_id: place.frame_id,
            index: place.index,
        };
        PoisonFrame {
            id: event_id(&origin),
            project_id: self.project,
            agent_id: self.agent,
            reason,
            detail: format!(
                "Entry {} of frame {}: {reason}.",
                place.index, place.frame_id
            ),
            excerpt: excerpt_of_raw(&*shared.redactor, raw),
        }
    }
}

/// The worker and the queue that an event names which is not about a task.
fn named(data: &Redacted<Bytes>) -> (Option<Box<str>>, Option<Box<str>>) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Names {
        #[serde(alias = "worker_name", alias = "hostname")]
        worker: serde_json::Value,
        #[serde(alias = "queue_name")]
        queue: serde_json::Value,
    }
    let names: Names = serde_json::from_slice(data.get()).unwrap_or_default();
    (boxed(names.worker.as_str()), boxed(names.queue.as_str()))
}

fn boxed(text: Option<&str>) -> Option<Box<str>> {
    text.filter(|text| !text.is_empty()).map(Box::from)
}
