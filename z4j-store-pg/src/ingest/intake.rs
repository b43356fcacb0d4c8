//! What of a batch can be stored at all, in the order in which it is written.

use std::borrow::Cow;
use std::collections::HashSet;

use z4j_core::id::ProjectId;
use z4j_core::store::{EventOutcome, IngestBatch, IngestEvent};

use crate::text;

/// The events of a batch, each once and in the order of their key, so that any two transactions that write the same
/// events meet them in the same order and none waits for one that waits for it.
pub(super) struct Intake<'b> {
    pub(super) batch: &'b IngestBatch,
    pub(super) candidates: Vec<Candidate<'b>>,
    /// One for each event of the batch. What is not known to be poison counts as a duplicate until it is inserted.
    pub(super) outcomes: Vec<EventOutcome>,
}

/// An event that may be new.
pub(super) struct Candidate<'b> {
    /// Where it stands in the batch.
    pub(super) index: usize,
    pub(super) event: &'b IngestEvent,
    pub(super) data: Cow<'b, str>,
}

impl<'b> Intake<'b> {
    /// Takes the events that `wants`, by their place, and that are of one of `projects`.
    pub(super) fn new(
        batch: &'b IngestBatch,
        projects: &HashSet<ProjectId>,
        wants: impl Fn(usize) -> Result<(), EventOutcome>,
    ) -> Self {
        let mut candidates = Vec::with_capacity(batch.events.len());
        let mut outcomes = Vec::with_capacity(batch.events.len());
        for (index, event) in batch.events.iter().enumerate() {
            let checked =
                wants(index).and_then(|()| checked(event, projects).map_err(EventOutcome::Poison));
            outcomes.push(match checked {
                Ok(data) => {
                    candidates.push(Candidate { index, event, data });
                    EventOutcome::Duplicate
                }
                Err(outcome) => outcome,
            });
        }
        // The sort is stable: of events with one identity the first of the batch stays.
        candidates.sort_by_key(|candidate| key(candidate.event));
        candidates.dedup_by_key(|candidate| key(candidate.event));
        Self {
            batch,
            candidates,
            outcomes,
        }
    }

    /// Notes which candidates were inserted, given their keys in the order of the candidates.
    pub(super) fn note_inserted(&mut self, mut inserted: impl Iterator<Item = Key>) {
        let mut next = inserted.next();
        for candidate in &self.candidates {
            if next == Some(key(candidate.event)) {
                if let Some(outcome) = self.outcomes.get_mut(candidate.index) {
                    *outcome = EventOutcome::Inserted;
                }
                next = inserted.next();
            }
        }
    }

    /// The events that were inserted, in the order of their keys.
    pub(super) fn inserted(&self) -> impl Iterator<Item = &'b IngestEvent> {
        self.candidates
            .iter()
            .filter(|candidate| self.outcomes.get(candidate.index) == Some(&EventOutcome::Inserted))
            .map(|candidate| candidate.event)
    }
}

/// What makes an event one: the project, the time as sent, the id.
pub(super) type Key = (uuid::Uuid, i64, uuid::Uuid);

pub(super) fn key(event: &IngestEvent) -> Key {
    (
        *event.project_id.as_uuid(),
        event.sent_at.as_micros(),
        *event.id.as_uuid(),
    )
}

/// The data as text to store, or why the event can never be stored.
fn checked<'b>(
    event: &'b IngestEvent,
    projects: &HashSet<ProjectId>,
) -> Result<Cow<'b, str>, &'static str> {
    if !projects.contains(&event.project_id) {
        return Err("unknown_project");
    }
    let Ok(data) = std::str::from_utf8(event.data.get()) else {
        return Err("not_text");
    };
    match &event.task {
        Some(_) if event.task_id.is_empty() => Err("no_task_id"),
        Some(task) if !task.kind.may_concern_task() => Err("not_about_a_task"),
        _ => Ok(text::put(data)),
    }
}
