//! Task records: each read once, merged in memory, written once.

use std::collections::HashMap;

use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{IngestEvent, TaskChange, TaskSummary};
use z4j_core::task::{self, TaskRecord, Transition, Verdict};
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
pub(super) struct Written {
    /// Where its slot stands.
    pub(super) place: usize,
    pub(super) project: ProjectId,
    /// Whether the row has to be made.
    pub(super) is_new: bool,
    /// Whether the batch says anything new of the task, and not only that its timeline reaches further.
    is_changed: bool,
    pub(super) summary: TaskSummary,
    pub(super) first_at: Timestamp,
    pub(super) sent: (Timestamp, Timestamp),
    pub(super) record: Vec<u8>,
    transition: Option<Transition>,
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

    /// The rows to write.
    pub(super) fn written(&self, received_at: Timestamp) -> Vec<Written> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter_map(|(place, slot)| slot.written(place, received_at))
            .collect()
    }

    /// Merges again what turned out to be stored by somebody else meanwhile, and replaces the row to write.
    pub(super) fn merge_again(&mut self, row: &mut Written, received_at: Timestamp) {
        let Some(slot) = self.slots.get_mut(row.place) else {
            return;
        };
        slot.merge();
        if let Some(again) = slot.written(row.place, received_at) {
            *row = again;
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

    /// Merges the inserted events into what is stored.
    fn merge(&mut self) {
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
    fn written(&self, place: usize, received_at: Timestamp) -> Option<Written> {
        let (record, sent) = (self.record.as_ref()?, self.sent?);
        let stored = self.stored.as_ref();
        let is_moved = stored.is_some_and(|stored| stored.sent != sent);
        if !self.is_changed && !is_moved {
            return None;
        }
        let created_at = stored.map_or(received_at, |stored| stored.created_at);
        let mut summary = TaskSummary::from_record(self.key(), record, created_at);
        summary.retried_as.clone_from(&self.retried_as);
        summary.retry_of.clone_from(&self.retry_of);
        Some(Written {
            place,
            project: self.project,
            is_new: stored.is_none(),
            is_changed: self.is_changed,
            summary,
            first_at: record.view().first_seen,
            sent,
            record: record.encode(),
            transition: task::transition(self.before(), record),
        })
    }
}

impl Written {
    /// What to tell of it: nothing when only the reach of its timeline grew.
    pub(super) fn into_change(self) -> Option<TaskChange> {
        self.is_changed.then_some(TaskChange {
            project_id: self.project,
            task: self.summary,
            transition: self.transition,
        })
    }
}
