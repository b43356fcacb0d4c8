//! I-06: final records equal those of the same events applied once, in order, by the pure model.

use z4j_core::redact::Redacted;
use z4j_core::store::{EventRow, TaskSummary};
use z4j_core::task::{self, EventKind, TaskEvent, TaskRecord, Verdict};
use z4j_core::time::Timestamp;

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::{Emission, Facts};

/// A time that is off true time by less than this is shown as it was sent.
const SURELY_SHOWN_MICROS: u64 = 50_000_000;

pub(super) fn check(picture: &Picture, facts: &Facts, broken: &mut Broken) {
    for project in &picture.projects {
        for (key, task) in &project.tasks {
            let mut events = Vec::new();
            for row in &task.events {
                let same = facts.by_id.get(&(project.id, row.id));
                let Some(emission) = same.and_then(|same| facts.emissions.get(*same.first()?))
                else {
                    continue;
                };
                check_row(emission, row, broken);
                events.push(event_of(emission, row, &key.task_id));
            }
            events.sort_by_key(|event| event.at);
            let model = model_of(&events);
            let stored = task.detail.as_ref().map(|detail| &detail.record);
            if model.as_ref() != stored {
                broken.note(format!(
                    "the record of {} is not what its {} events make: stored {stored:?}, model {model:?}",
                    key.task_id,
                    events.len()
                ));
                continue;
            }
            let Some(model) = model else { continue };
            let mut summary =
                TaskSummary::from_record(key.clone(), &model, task.summary.created_at);
            summary.retried_as.clone_from(&task.summary.retried_as);
            summary.retry_of.clone_from(&task.summary.retry_of);
            if summary != task.summary {
                broken.note(format!("lists show {} other than its record", key.task_id));
            }
        }
    }
}

/// The stored row says what was sent.
fn check_row(emission: &Emission, row: &EventRow, broken: &mut Broken) {
    let data: serde_json::Value = serde_json::from_str(&row.data).unwrap_or_default();
    if data != emission.data {
        let task = &emission.key.task_id;
        broken.note(format!("{} of {task} is stored with other data", row.kind));
    }
    let is_near = |sent: &Timestamp| {
        let off = sent.abs_diff(emission.at);
        u64::try_from(off.as_micros()).is_ok_and(|micros| micros < SURELY_SHOWN_MICROS)
    };
    if let Some(sent) = emission.sent_at.filter(is_near)
        && sent != row.occurred_at
    {
        let task = &emission.key.task_id;
        broken.note(format!(
            "{} of {task} at {sent} is shown at {}",
            row.kind, row.occurred_at
        ));
    }
}

fn event_of(emission: &Emission, row: &EventRow, task_id: &str) -> TaskEvent {
    let kind = EventKind::parse(&emission.kind);
    let text = Redacted::vouch(row.data.clone());
    let data = serde_json::from_str(text.get());
    match data {
        Ok(data) => {
            TaskEvent::from_data(kind, row.occurred_at, Some(row.agent_id), data).about(task_id)
        }
        Err(_) => TaskEvent::new(kind, row.occurred_at).with_agent(row.agent_id),
    }
}

fn model_of(events: &[TaskEvent]) -> Option<TaskRecord> {
    let mut record = None;
    for event in events {
        if let Verdict::Advance(next) = task::apply(record.as_ref(), event) {
            record = Some(next);
        }
    }
    record
}
