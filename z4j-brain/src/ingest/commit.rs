//! One batch into the store, whatever it takes: wait out faults, isolate what can never be stored.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use z4j_core::id::ProjectId;
use z4j_core::store::{
    EventOutcome, IngestBatch, IngestEvent, IngestReceipt, PoisonFrame, StoreError, StoreErrorKind,
    TaskChange,
};
use z4j_core::wire::CloseCode;

use super::frame::PendingFrame;
use super::redact;
use crate::ops::chain;
use crate::shared::Shared;
use crate::upkeep::is_passing;

/// The wait after the first fault; doubles up to [`RETRY_WAIT_MAX`].
const RETRY_WAIT: Duration = Duration::from_millis(50);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(2);
/// After so many tries of several frames that a sound store did not finish, fewer are written at once: what was wanted may be more
/// than it does in the time for one write.
const WHOLE_TRIES: u32 = 3;
/// Why an event is in the quarantine that a sound store did not take.
const STORE_REFUSED: &str = "store_refused";

/// What one commit made durable.
#[derive(Debug)]
pub(super) struct Settlement {
    /// The frames, with what became of their events.
    pub(super) frames: Vec<SettledFrame>,
    /// The tasks that changed.
    pub(super) changes: Vec<TaskChange>,
    /// When the commit began, by the monotonic clock.
    pub(super) began: Duration,
    /// Where more changed than this: an earlier try was committed, and its answer lost.
    pub(super) unsure: BTreeSet<ProjectId>,
}

/// A durable frame.
#[derive(Debug)]
pub(super) struct SettledFrame {
    /// The frame.
    pub(super) frame: PendingFrame,
    /// One for each of its events that could be read.
    pub(super) outcomes: Vec<EventOutcome>,
}

/// What became of a write.
enum Fate {
    /// It is durable. `is_unsure`: the answer to an earlier try was lost, and so may be what that one changed.
    Done {
        receipt: IngestReceipt,
        is_unsure: bool,
    },
    /// The store is sound and does not take this, or not all of it at once. `is_unsure` as above.
    Refused { error: StoreError, is_unsure: bool },
    /// The brain stops before the store takes anything.
    GivenUp,
}

/// Commits frames, in parts if need be, and sends each part on once it is durable.
///
/// Returns when every frame is settled or given up. A fault that may pass is waited out while memory for it is held, so
/// that nothing has to be sent again; the frames' permits keep that memory bounded.
pub(super) async fn commit(
    shared: &Shared,
    frames: Vec<PendingFrame>,
    settled: &mpsc::Sender<Settlement>,
) {
    let mut parts = vec![(frames, false)];
    while let Some((mut part, was_unsure)) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        let began = shared.env.elapsed();
        let others_wait = !parts.is_empty();
        let tries = Tries {
            is_unsure: was_unsure,
            can_divide: part.len() > 1 || part.iter().any(|frame| frame.events.len() > 1),
            others_wait,
        };
        let settlement = match write(shared, tries, || batch_of(shared, &part)).await {
            Fate::Done { receipt, is_unsure } => {
                Some(settlement(part, receipt, (began, is_unsure)))
            }
            Fate::GivenUp => return,
            Fate::Refused { is_unsure, .. } if part.len() > 1 => {
                let rest = part.split_off(part.len() / 2);
                parts.extend([(rest, is_unsure), (part, is_unsure)]);
                continue;
            }
            Fate::Refused { error, is_unsure } => match part.pop() {
                Some(frame) if error.kind() == StoreErrorKind::StreamHole => {
                    send_back(&frame);
                    continue;
                }
                Some(frame) => one_by_one(shared, frame, is_unsure, others_wait).await,
                None => continue,
            },
        };
        let Some(settlement) = settlement else { return };
        // The receiver ends after this sender, so it is there.
        let _ = settled.send(settlement).await;
    }
}

/// A frame whose stream cannot go on there: what lies before it came on another way and is not stored. The agent is told
/// to come back, and then goes on where the store is.
fn send_back(frame: &PendingFrame) {
    tracing::warn!(agent = %frame.link.agent.name, link = %frame.link.id, "a link is closed: its stream has a hole in the store");
    frame.link.close(CloseCode::GoingAway);
}

/// Commits the events of a frame each for itself: one that the store refuses goes to the quarantine, its neighbours do
/// not. `None` when the brain stops.
async fn one_by_one(
    shared: &Shared,
    frame: PendingFrame,
    was_unsure: bool,
    others_wait: bool,
) -> Option<Settlement> {
    let began = shared.env.elapsed();
    let tries = Tries {
        is_unsure: was_unsure,
        can_divide: false,
        others_wait: true,
    };
    let (mut outcomes, mut changes) = (Vec::with_capacity(frame.events.len()), Vec::new());
    let (mut refused, mut unsure) = (Vec::new(), BTreeSet::new());
    for event in &frame.events {
        let one = || IngestBatch::new(shared.env.now(), vec![event.clone()]);
        match write(shared, tries, one).await {
            Fate::Done { receipt, is_unsure } => {
                if is_unsure {
                    unsure.insert(event.project_id);
                }
                outcomes.extend(receipt.outcomes);
                changes.extend(receipt.changes);
            }
            Fate::Refused { error, .. } => {
                tracing::error!(agent = %frame.link.agent.name, error = %chain(&error), "an event goes to the quarantine: the store refuses it");
                refused.push(quarantined(event));
                outcomes.push(EventOutcome::Poison(STORE_REFUSED));
            }
            Fate::GivenUp => return None,
        }
    }
    let poison = [frame.poison.as_slice(), &refused].concat();
    // Apart from each other: what the quarantine refuses must not hold the stream up.
    let nothing = || IngestBatch::new(shared.env.now(), Vec::new());
    let tries = Tries {
        others_wait,
        ..tries
    };
    let quarantine = || nothing().with_poison(poison.clone());
    let streams = || nothing().with_streams(frame.streams.clone());
    for rest in [&quarantine as &(dyn Fn() -> IngestBatch + Sync), &streams] {
        match write(shared, tries, rest).await {
            Fate::Done { .. } => {}
            Fate::Refused { error, .. } => {
                tracing::error!(agent = %frame.link.agent.name, error = %chain(&error), "the store refuses even the quarantine entry");
            }
            Fate::GivenUp => return None,
        }
    }
    let frames = vec![SettledFrame { frame, outcomes }];
    Some(Settlement {
        frames,
        changes,
        began,
        unsure,
    })
}

/// What is known of a batch before it is tried.
#[derive(Clone, Copy)]
struct Tries {
    /// The answer to an earlier try of it, or of what it was a part of, was lost.
    is_unsure: bool,
    /// It holds several frames, or events.
    can_divide: bool,
    /// Others that were refused with it wait behind it.
    others_wait: bool,
}

/// Writes a batch; waits out every fault that may pass, or, where it can be divided, those of a few tries.
async fn write(shared: &Shared, known: Tries, batch: impl Fn() -> IngestBatch) -> Fate {
    let mut wait = RETRY_WAIT;
    let mut is_unsure = known.is_unsure;
    let mut tries = 0_u32;
    loop {
        tries = tries.saturating_add(1);
        let divides = known.can_divide && tries >= WHOLE_TRIES;
        match ingest(shared, known, batch()).await {
            Ok(receipt) => return Fate::Done { receipt, is_unsure },
            // Only what ran out of time is helped by being less: where a disk is full, a few events may still fit, and
            // would make the store look sound.
            Err(error)
                if divides
                    && error.kind() == StoreErrorKind::Unavailable
                    && store_is_sound(shared).await =>
            {
                // It may have been the answer alone that did not come.
                let is_unsure = true;
                return Fate::Refused { error, is_unsure };
            }
            Err(error) if !is_passing(error.kind()) && store_is_sound(shared).await => {
                shared.health.release();
                return Fate::Refused { error, is_unsure };
            }
            Err(_) => is_unsure = true,
        }
        if !pause(shared, &mut wait).await {
            return Fate::GivenUp;
        }
    }
}

fn batch_of(shared: &Shared, frames: &[PendingFrame]) -> IngestBatch {
    let events = frames
        .iter()
        .flat_map(|frame| &frame.events)
        .cloned()
        .collect();
    let poison = frames
        .iter()
        .flat_map(|frame| &frame.poison)
        .cloned()
        .collect();
    let streams = frames
        .iter()
        .flat_map(|frame| &frame.streams)
        .cloned()
        .collect();
    IngestBatch::new(shared.env.now(), events)
        .with_poison(poison)
        .with_streams(streams)
}

async fn ingest(
    shared: &Shared,
    known: Tries,
    batch: IngestBatch,
) -> Result<IngestReceipt, StoreError> {
    let result = shared.store.ingest(batch).await;
    match &result {
        // A part that fits says nothing of the others.
        Ok(_) => {
            if !known.others_wait && shared.health.release() {
                tracing::info!("the store takes events again");
            }
        }
        // The store works; what it was given does not fit.
        Err(error) if error.kind() == StoreErrorKind::StreamHole => {}
        Err(error) => {
            shared.metrics.store_fault(error.kind().as_str());
            if shared.health.hold(error) {
                tracing::error!(error = %chain(error), "events are not stored and not acknowledged");
            }
        }
    }
    result
}

/// Whether a fault may lie with what was written and not with the store.
async fn store_is_sound(shared: &Shared) -> bool {
    shared.store.probe(shared.env.now()).await.is_ok()
}

/// Waits before the next try; false when there is none.
async fn pause(shared: &Shared, wait: &mut Duration) -> bool {
    let jitter = shared.env.jitter(*wait / 2);
    let pause = *wait / 2 + jitter;
    *wait = (*wait * 2).min(RETRY_WAIT_MAX);
    tokio::select! {
        biased;
        () = tokio::time::sleep(pause) => true,
        () = shared.committer.abandoned() => false,
    }
}

fn quarantined(event: &IngestEvent) -> PoisonFrame {
    PoisonFrame {
        id: event.id,
        project_id: event.project_id,
        agent_id: event.agent_id,
        reason: STORE_REFUSED,
        detail: format!("The store cannot keep this {} event.", event.kind),
        excerpt: redact::excerpt(&event.data),
    }
}

fn settlement(
    frames: Vec<PendingFrame>,
    receipt: IngestReceipt,
    (began, is_unsure): (Duration, bool),
) -> Settlement {
    // What an earlier try stored is a duplicate now, and no change that this answer could name.
    let has_stored_before = is_unsure && receipt.outcomes.contains(&EventOutcome::Duplicate);
    let projects = frames.iter().map(|frame| frame.link.project_id());
    let unsure = projects.filter(|_| has_stored_before).collect();
    let mut outcomes = receipt.outcomes.into_iter();
    let frames = frames
        .into_iter()
        .map(|frame| SettledFrame {
            outcomes: outcomes.by_ref().take(frame.events.len()).collect(),
            frame,
        })
        .collect();
    Settlement {
        frames,
        changes: receipt.changes,
        began,
        unsure,
    }
}
