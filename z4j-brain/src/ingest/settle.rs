//! What follows a commit, and only a commit: acks, counters, live updates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use z4j_core::id::{LinkId, ProjectId};
use z4j_core::store::{EventOutcome, TaskChange, TaskSummary};

use super::commit::{SettledFrame, Settlement};
use super::refusal::RefusalNote;
use crate::link::{Ack, LinkHandle};
use crate::live::Delta;
use crate::metrics::seconds;
use crate::shared::Shared;

/// Settles what is committed until no commit comes any more.
pub(super) async fn run(shared: &Shared, mut settlements: mpsc::Receiver<Settlement>) {
    while let Some(settlement) = settlements.recv().await {
        acknowledge(shared, settlement.frames);
        publish(shared, settlement.changes, settlement.began);
        for project in settlement.unsure {
            shared.hub.skip(project);
        }
    }
}

/// Hands the acks to their links, all of one link at once.
fn acknowledge(shared: &Shared, frames: Vec<SettledFrame>) {
    let now = shared.env.elapsed();
    let mut by_link: BTreeMap<LinkId, (Arc<LinkHandle>, Vec<Ack>)> = BTreeMap::new();
    let (mut stored, mut duplicate, mut poison) = (0, 0, 0);
    let mut events = 0_u32;
    for settled in frames {
        let counts = count(&settled);
        stored += counts.stored;
        duplicate += counts.duplicate;
        poison += counts.poison;
        events = events.saturating_add(u32::try_from(settled.frame.received).unwrap_or(u32::MAX));
        note_poison(shared, &settled);
        let frame = settled.frame;
        shared
            .metrics
            .ack_seconds
            .record(seconds(now.saturating_sub(frame.read_at)));
        let ack = Ack {
            frame_id: frame.frame_id,
            received: frame.received,
            accepted: usize::try_from(counts.stored).unwrap_or(usize::MAX),
            permits: frame.permits,
        };
        let (_, acks) = by_link
            .entry(frame.link.id)
            .or_insert_with(|| (frame.link, Vec::new()));
        acks.push(ack);
    }
    for (link, acks) in by_link.into_values() {
        link.outbox.push_acks(acks);
    }
    shared.metrics.events_ingested.increment(stored);
    shared.metrics.events_duplicate.increment(duplicate);
    shared.metrics.events_quarantined.increment(poison);
    shared.metrics.commit_events.record(f64::from(events));
}

#[derive(Default)]
struct Counts {
    stored: u64,
    duplicate: u64,
    poison: u64,
}

fn count(settled: &SettledFrame) -> Counts {
    let mut counts = Counts::default();
    for outcome in &settled.outcomes {
        match outcome {
            EventOutcome::Inserted => counts.stored += 1,
            EventOutcome::Duplicate => counts.duplicate += 1,
            EventOutcome::Poison(_) => counts.poison += 1,
        }
    }
    // Not everything that was received and is not stored: second-hand reports are in neither list.
    counts.poison += u64::try_from(settled.frame.poison.len()).unwrap_or(u64::MAX);
    counts
}

/// Makes what the store put into the quarantine visible on the agent's page; what could not be read was noted before.
fn note_poison(shared: &Shared, settled: &SettledFrame) {
    let refused = settled.outcomes.iter().filter_map(|outcome| match outcome {
        EventOutcome::Poison(reason) => Some(*reason),
        EventOutcome::Inserted | EventOutcome::Duplicate => None,
    });
    for reason in refused {
        let note = RefusalNote::event(reason);
        shared
            .reports
            .refuse(shared, &settled.frame.link.agent, &note);
    }
}

/// What a commit tells the dashboards of one project.
struct News {
    is_followed: bool,
    deltas: Vec<Delta>,
    workers: BTreeSet<(Arc<str>, Arc<str>)>,
    queues: BTreeSet<(Arc<str>, Arc<str>)>,
}

/// Tells dashboards and counters what a commit changed that began at `began`.
fn publish(shared: &Shared, changes: Vec<TaskChange>, began: Duration) {
    let mut by_project: BTreeMap<ProjectId, News> = BTreeMap::new();
    for change in changes {
        if let Some(transition) = change.transition {
            shared.metrics.task_reached(transition.to);
        }
        let news = by_project.entry(change.project_id).or_insert_with(|| News {
            is_followed: shared.hub.is_followed(change.project_id),
            deltas: Vec::new(),
            workers: BTreeSet::new(),
            queues: BTreeSet::new(),
        });
        if news.is_followed {
            news.add(change.task);
        }
    }
    for (project, news) in by_project {
        if news.is_followed {
            let deltas = news.into_deltas();
            shared.hub.publish_committed(project, began, deltas);
        } else {
            // Who came since, or comes back later, must see that something was missed.
            shared.hub.skip(project);
        }
    }
}

impl News {
    fn add(&mut self, task: TaskSummary) {
        let engine: Arc<str> = task.key.engine.as_str().into();
        let named = |name: &str| (Arc::clone(&engine), Arc::from(name));
        self.workers.extend(task.worker.as_deref().map(named));
        self.queues.extend(task.queue.as_deref().map(named));
        self.deltas.push(Delta::Task(Box::new(task)));
    }

    fn into_deltas(self) -> impl Iterator<Item = Delta> {
        let workers = self
            .workers
            .into_iter()
            .map(|(engine, name)| Delta::Worker { engine, name });
        let queues = self
            .queues
            .into_iter()
            .map(|(engine, name)| Delta::Queue { engine, name });
        self.deltas
            .into_iter()
            .chain(workers)
            .chain(queues)
            .chain([Delta::Counters])
    }
}
