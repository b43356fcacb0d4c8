//! Task records: each read once, merged in memory, written once.

use std::collections::HashMap;

use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{IngestEvent, TaskChange, TaskSummary};
use z4j_core::task::{self, TaskRecord, Verdict};
use z4j_core::time::Timestamp;

use super::intake::Intake;

/// Which task.
pub(super) type Name<'b> = (ProjectId, &'b str, &'b str);

/// The tasks of a batch in the order of their keys, so that transactions lock them in one order.
pub(super) struct Fold<'b> {
    places: HashMap<Name<'b>, usize>,
    pub(super) slots: Vec<Slot<'b>>,
}

/// One task: as it is stored, and as it is after the batch.
pub(super) struct Slot<'b> {
    pub(super) project: ProjectId,
    pub(super) engine: &'b str,
    pub(super) task_id: &'b str,
    pub(super) stored: Option<Stored>,
    /// Links that a person's retries made.
    pub(super) retried_as: Option<String>,
    pub(super) retry_of: Option<String>,
    events: Vec<&'b IngestEvent>,
    record: Option<TaskRecord>,
    /// The least and the greatest `sent_at` of its events.
    pub(super) sent: Option<(Timestamp, Timestamp)>,
    is_changed: bool,
}

/// A task's row, as far as a merge needs it.
pub(super) struct Stored {
    pub(super) record: TaskRecord,
    pub(super) created_at: Timestamp,
    pub(super) sent: (Timestamp, Timestamp),
}

/// A task's row as it is to be written.
pub(super) struct Written<'f> {
    pub(super) slot: &'f Slot<'f>,
    pub(super) record: &'f TaskRecord,
    pub(super) sent: (Timestamp, Timestamp),
    pub(super) summary: TaskSummary,
}

impl<'b> Fold<'b> {
    /// The tasks that the candidates are about.
    pub(super) fn new(intake: &Intake<'b>) -> Self {
        let events = intake.candidates.iter().map(|candidate| candidate.event);
        let mut names: Vec<Name<'b>> = events
            .filter(|event| event.task.is_some())
            .map(name)
            .collect();
        names.sort_unstable();
        names.dedup();
        let slots: Vec<_> = names.into_iter().map(Slot::new).collect();
        let places = slots
            .iter()
            .enumerate()
            .map(|(place, slot)| (slot.name(), place))
            .collect();
        Self { places, slots }
    }

    pub(super) fn slot(&mut self, name: &Name<'_>) -> Option<&mut Slot<'b>> {
        let place = *self.places.get(name)?;
        self.slots.get_mut(place)
    }

    /// Merges the events that were inserted.
    pub(super) fn merge(&mut self, intake: &Intake<'b>) {
        for event in intake.inserted().filter(|event| event.task.is_some()) {
            if let Some(slot) = self.slot(&name(event)) {
                slot.events.push(event);
            }
        }
        for slot in &mut self.slots {
            slot.merge();
        }
    }
}

fn name(event: &IngestEvent) -> Name<'_> {
    (event.project_id, &event.engine, &event.task_id)
}

impl<'b> Slot<'b> {
    const fn new((project, engine, task_id): Name<'b>) -> Self {
        Self {
            project,
            engine,
            task_id,
            stored: None,
            retried_as: None,
            retry_of: None,
            events: Vec::new(),
            record: None,
            sent: None,
            is_changed: false,
        }
    }

    pub(super) const fn name(&self) -> Name<'b> {
        (self.project, self.engine, self.task_id)
    }

    pub(super) fn key(&self) -> TaskKey {
        TaskKey::new(self.engine, self.task_id)
    }

    /// Whether the row has to be made.
    pub(super) const fn is_new(&self) -> bool {
        self.stored.is_none() && self.record.is_some()
    }

    pub(super) fn before(&self) -> Option<&TaskRecord> {
        self.stored.as_ref().map(|stored| &stored.record)
    }

    pub(super) const fn after(&self) -> Option<&TaskRecord> {
        self.record.as_ref()
    }

    /// Whether the batch says anything new of the task.
    pub(super) const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Merges the inserted events into what is stored. May run again when it turns out that something is stored.
    pub(super) fn merge(&mut self) {
        self.record = self.stored.as_ref().map(|stored| stored.record.clone());
        self.sent = self.stored.as_ref().map(|stored| stored.sent);
        self.is_changed = false;
        for event in &self.events {
            let Some(task_event) = &event.task else {
                continue;
            };
            let (from, until) = self.sent.unwrap_or((event.sent_at, event.sent_at));
            self.sent = Some((from.min(event.sent_at), until.max(event.sent_at)));
            if let Verdict::Advance(record) = task::apply(self.record.as_ref(), task_event) {
                self.record = Some(record);
                self.is_changed = true;
            }
        }
    }

    /// The row to write, when it is another than the one that is stored.
    pub(super) fn written(&self, received_at: Timestamp) -> Option<Written<'_>> {
        let (record, sent) = (self.record.as_ref()?, self.sent?);
        let is_moved = self
            .stored
            .as_ref()
            .is_some_and(|stored| stored.sent != sent);
        if !self.is_changed && !is_moved {
            return None;
        }
        let created_at = self
            .stored
            .as_ref()
            .map_or(received_at, |stored| stored.created_at);
        let mut summary = TaskSummary::from_record(self.key(), record, created_at);
        summary.retried_as.clone_from(&self.retried_as);
        summary.retry_of.clone_from(&self.retry_of);
        Some(Written {
            slot: self,
            record,
            sent,
            summary,
        })
    }
}

impl Written<'_> {
    /// What to tell of it: nothing when only the reach of its timeline grew.
    pub(super) fn into_change(self) -> Option<TaskChange> {
        let transition = task::transition(self.slot.before(), self.record);
        self.slot.is_changed.then_some(TaskChange {
            project_id: self.slot.project,
            task: self.summary,
            transition,
        })
    }
}
