//! What follows a commit, and only a commit: acks, counters, live updates.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use z4j_core::id::{LinkId, ProjectId};
use z4j_core::store::{EventOutcome, TaskChange};

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
        publish(shared, settlement.changes);
    }
}

/// Hands the acks to their links, all of one link at once.
fn acknowledge(shared: &Shared, frames: Vec<SettledFrame>) {
    let now = shared.env.elapsed();
    let mut by_link: HashMap<LinkId, (Arc<LinkHandle>, Vec<Ack>)> = HashMap::new();
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
    let unreadable = settled
        .frame
        .received
        .saturating_sub(settled.frame.events.len());
    counts.poison += u64::try_from(unreadable).unwrap_or(u64::MAX);
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

/// Tells dashboards and counters what changed.
fn publish(shared: &Shared, changes: Vec<TaskChange>) {
    let mut by_project: HashMap<ProjectId, Vec<Delta>> = HashMap::new();
    for change in changes {
        if let Some(transition) = change.transition {
            shared.metrics.task_reached(transition.to);
        }
        let deltas = by_project.entry(change.project_id).or_default();
        deltas.push(Delta::Task(Box::new(change.task)));
    }
    for (project, mut deltas) in by_project {
        deltas.push(Delta::Counters);
        shared.hub.publish_all(project, deltas);
    }
}
