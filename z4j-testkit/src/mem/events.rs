//! Taking in what agents report.

use std::collections::BTreeMap;

use async_trait::async_trait;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::limits::{QUARANTINE_EXCERPT_BYTES_MAX, QUARANTINE_ROWS_MAX};
use z4j_core::redact::Redacted;
use z4j_core::store::{
    EventOutcome, EventRow, EventStore, IngestBatch, IngestEvent, IngestReceipt, Page, PageRequest,
    PoisonFrame, StoreError, StreamGap, StreamKey, TaskChange, timeline_rank,
};
use z4j_core::task::{self, TaskRecord, Verdict, counter_delta};
use z4j_core::time::Timestamp;

use super::db::{Db, Task};
use super::{MemStore, cursor, streams, workers};

/// The tasks that a batch touched, in the order of their first event, each with its record before the batch.
type Touched = BTreeMap<(ProjectId, TaskKey), (usize, Option<TaskRecord>)>;

#[async_trait]
impl EventStore for MemStore {
    async fn ingest(&self, batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
        self.write("ingest", |db| ingest(db, batch)).await?
    }

    async fn task_events(
        &self,
        project: ProjectId,
        task: &TaskKey,
        page: PageRequest,
    ) -> Result<Page<EventRow>, StoreError> {
        let query = format!("events {project} {task:?}");
        self.read(|db| {
            let stored = db
                .tasks
                .get(&(project, task.clone()))
                .map(|task| task.events.as_slice());
            let mut rows: Vec<(usize, &EventRow)> =
                stored.unwrap_or_default().iter().enumerate().collect();
            let place = |(arrival, row): &(usize, &EventRow)| {
                (
                    row.occurred_at.as_micros(),
                    timeline_rank(&row.kind),
                    *arrival,
                )
            };
            rows.sort_by_key(place);
            let page = cursor::cut(rows, &query, &page, place, |row, after| place(row) > *after)?;
            Ok(Page {
                items: page.items.into_iter().map(|(_, row)| row.clone()).collect(),
                next: page.next,
            })
        })
    }

    async fn stream_position(&self, stream: StreamKey) -> Result<u64, StoreError> {
        Ok(self.read(|db| db.streams.get(&stream).map_or(0, |stream| stream.position)))
    }

    async fn stream_gaps(
        &self,
        stream: StreamKey,
        limit: u32,
    ) -> Result<Vec<StreamGap>, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.read(|db| {
            let gaps = db.streams.get(&stream).map(|stream| stream.gaps.iter());
            gaps.into_iter().flatten().take(limit).cloned().collect()
        }))
    }
}

fn ingest(db: &mut Db, batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
    let received_at = batch.received_at;
    let moved = streams::moved(db, &batch.streams, received_at)?;
    streams::write(db, moved);
    let mut touched = Touched::new();
    let mut outcomes = Vec::with_capacity(batch.events.len());
    for frame in batch.poison {
        quarantine(db, frame);
    }
    for event in batch.events {
        outcomes.push(take(db, received_at, event, &mut touched));
    }
    Ok(IngestReceipt {
        outcomes,
        changes: changes(db, touched),
    })
}

fn take(
    db: &mut Db,
    received_at: Timestamp,
    event: IngestEvent,
    touched: &mut Touched,
) -> EventOutcome {
    if let Some(reason) = unstorable(db, &event) {
        quarantine(db, poison_of(&event, reason));
        return EventOutcome::Poison(reason);
    }
    if !db.events.insert((event.project_id, event.id)) {
        return EventOutcome::Duplicate;
    }
    merge(db, received_at, &event, touched);
    EventOutcome::Inserted
}

/// Why an event can never be stored.
fn unstorable(db: &Db, event: &IngestEvent) -> Option<&'static str> {
    if !db.projects.contains_key(&event.project_id) {
        return Some("unknown_project");
    }
    if std::str::from_utf8(event.data.get()).is_err() {
        return Some("not_text");
    }
    match &event.task {
        Some(_) if event.task_id.is_empty() => Some("no_task_id"),
        Some(task) if !task.kind.may_concern_task() => Some("not_about_a_task"),
        _ => None,
    }
}

/// Merges a new event into its task, moves the counters by the difference, and keeps the event with the task.
fn merge(db: &mut Db, received_at: Timestamp, event: &IngestEvent, touched: &mut Touched) {
    let Some(task_event) = &event.task else {
        return;
    };
    let place = (
        event.project_id,
        TaskKey::new(&*event.engine, &*event.task_id),
    );
    let stored = db.tasks.get_mut(&place);
    let before = stored.as_ref().map(|task| task.record.clone());
    if let Verdict::Advance(after) = task::apply(before.as_ref(), task_event) {
        for (key, by) in counter_delta(before.as_ref(), &after) {
            *db.counters.entry((event.project_id, key)).or_default() += by;
        }
        let order = touched.len();
        touched.entry(place.clone()).or_insert((order, before));
        match stored {
            Some(task) => task.record = after,
            None => {
                let task = Task {
                    record: after,
                    created_at: received_at,
                    events: Vec::new(),
                };
                db.tasks.insert(place.clone(), task);
            }
        }
    }
    if let Some(task) = db.tasks.get_mut(&place) {
        task.events.push(row_of(received_at, event));
    }
    workers::see_in_event(db, received_at, event, &task_event.facts);
}

fn row_of(received_at: Timestamp, event: &IngestEvent) -> EventRow {
    EventRow {
        id: event.id,
        kind: event.kind.clone(),
        occurred_at: event.occurred_at,
        received_at,
        agent_id: event.agent_id,
        worker: event.worker.as_deref().map(str::to_owned),
        data: String::from_utf8_lossy(event.data.get()).into_owned(),
    }
}

fn changes(db: &Db, touched: Touched) -> Vec<TaskChange> {
    let mut changes: Vec<(usize, TaskChange)> = Vec::with_capacity(touched.len());
    for ((project_id, key), (order, before)) in touched {
        let Some(task) = db.tasks.get(&(project_id, key.clone())) else {
            continue;
        };
        let change = TaskChange {
            project_id,
            task: db.summary(project_id, &key, task),
            transition: task::transition(before.as_ref(), &task.record),
        };
        changes.push((order, change));
    }
    changes.sort_by_key(|(order, _)| *order);
    changes.into_iter().map(|(_, change)| change).collect()
}

fn poison_of(event: &IngestEvent, reason: &'static str) -> PoisonFrame {
    PoisonFrame {
        id: event.id,
        project_id: event.project_id,
        agent_id: event.agent_id,
        reason,
        detail: format!("event {} of task {:?}", event.kind, event.task_id),
        excerpt: event.data.clone(),
    }
}

/// Keeps a frame for a person to look at: each once, cut, and only the latest of a project.
fn quarantine(db: &mut Db, mut frame: PoisonFrame) {
    let kept = db.quarantine.entry(frame.project_id).or_default();
    if kept.iter().any(|known| known.id == frame.id) {
        return;
    }
    let mut excerpt = frame.excerpt.into_inner();
    excerpt.truncate(QUARANTINE_EXCERPT_BYTES_MAX);
    frame.excerpt = Redacted::vouch(excerpt);
    kept.push(frame);
    if kept.len() > usize::try_from(QUARANTINE_ROWS_MAX).unwrap_or(usize::MAX) {
        kept.remove(0);
    }
}
