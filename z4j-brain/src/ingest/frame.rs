//! A frame between its socket and its commit, and what it takes of the brain's memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use z4j_core::limits;
use z4j_core::store::{IngestEvent, PoisonFrame, StreamSegment};

use super::under_way::UnderWay;
use crate::link::LinkHandle;

/// A verified and decoded event_batch that waits for its commit.
#[derive(Debug)]
pub(crate) struct PendingFrame {
    /// Where it came from and its ack goes to.
    pub(crate) link: Arc<LinkHandle>,
    /// Its id, which the ack names.
    pub(crate) frame_id: Box<str>,
    /// Events in it, readable or not.
    pub(crate) received: usize,
    /// Those that can be stored.
    pub(crate) events: Vec<IngestEvent>,
    /// Those that cannot.
    pub(crate) poison: Vec<PoisonFrame>,
    /// What it adds to the agent's stream; empty on links that agreed on none.
    pub(crate) streams: Vec<StreamSegment>,
    /// Until it is dropped, the agent's next link is not told where its stream goes on; `None` on links that agreed on none.
    pub(crate) _under_way: Option<UnderWay>,
    /// What it takes of the brain's memory.
    pub(crate) permits: Permits,
    /// When it was read, by the clock that never goes back.
    pub(crate) read_at: Duration,
}

/// The share of memory that a frame takes until its ack is written.
#[derive(Debug)]
pub(crate) struct Permits {
    link: OwnedSemaphorePermit,
    _brain: OwnedSemaphorePermit,
}

impl Permits {
    /// Bytes of the frame.
    pub(crate) fn bytes(&self) -> usize {
        self.link.num_permits()
    }
}

/// How much of one link may be un-committed. A link that is at its limit is not read any further.
#[derive(Clone, Debug)]
pub(crate) struct LinkBudget {
    link: Arc<Semaphore>,
    brain: Arc<Semaphore>,
}

impl LinkBudget {
    pub(super) fn new(brain: Arc<Semaphore>) -> Self {
        Self {
            link: Arc::new(Semaphore::new(limits::UNCOMMITTED_BYTES_PER_CONNECTION_MAX)),
            brain,
        }
    }

    /// Waits until `bytes` more may be held; `None` when the brain stops.
    pub(crate) async fn take(&self, bytes: usize) -> Option<Permits> {
        let bytes =
            u32::try_from(bytes.clamp(1, limits::UNCOMMITTED_BYTES_PER_CONNECTION_MAX)).ok()?;
        let link = Arc::clone(&self.link)
            .acquire_many_owned(bytes)
            .await
            .ok()?;
        let brain = Arc::clone(&self.brain)
            .acquire_many_owned(bytes)
            .await
            .ok()?;
        Some(Permits {
            link,
            _brain: brain,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LINK_MAX: usize = limits::UNCOMMITTED_BYTES_PER_CONNECTION_MAX;

    fn budget(brain: &Arc<Semaphore>) -> LinkBudget {
        LinkBudget::new(Arc::clone(brain))
    }

    fn brain(bytes: usize) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(bytes))
    }

    /// What can be had without waiting.
    fn now(budget: &LinkBudget, bytes: usize) -> Option<Permits> {
        budget.take(bytes).now_or_never().flatten()
    }

    #[test]
    fn link_at_its_limit_waits_for_a_commit_and_no_other_link_does() {
        let brain = brain(10 * LINK_MAX);
        let (full, other) = (budget(&brain), budget(&brain));
        let first = now(&full, LINK_MAX - 10).expect("room");
        let second = now(&full, 10).expect("room to the byte");
        assert!(now(&full, 1).is_none(), "it is at its limit");
        assert!(now(&other, LINK_MAX).is_some());
        drop(second);
        let taken = now(&full, 10).expect("its ack was written");
        assert_eq!(taken.bytes() + first.bytes(), LINK_MAX);
    }

    #[test]
    fn brain_at_its_limit_reads_no_link_any_further() {
        let brain = brain(LINK_MAX);
        let (one, other) = (budget(&brain), budget(&brain));
        let held = now(&one, LINK_MAX / 2).expect("room");
        let rest = now(&other, LINK_MAX / 2).expect("room");
        assert!(now(&other, 1).is_none() && now(&one, 1).is_none());
        drop(held);
        assert!(now(&other, LINK_MAX / 2).is_some(), "whoever asks next");
        drop(rest);
        assert_eq!(brain.available_permits(), LINK_MAX);
    }

    #[test]
    fn frame_larger_than_a_link_may_hold_takes_all_of_it_instead_of_waiting_for_ever() {
        let brain = brain(2 * LINK_MAX);
        let budget = budget(&brain);
        let whole = now(&budget, LINK_MAX + 1).expect("alone it passes");
        assert_eq!(whole.bytes(), LINK_MAX);
        assert!(now(&budget, 1).is_none());
        drop(whole);
        assert_eq!(now(&budget, 0).expect("room").bytes(), 1, "nothing is free");
    }

    #[test]
    fn wait_that_is_given_up_keeps_nothing() {
        let brain = brain(LINK_MAX);
        let (one, other) = (budget(&brain), budget(&brain));
        let held = now(&one, LINK_MAX).expect("room");
        // It has its link's share and waits for the brain's.
        assert!(now(&other, LINK_MAX).is_none());
        drop(held);
        assert!(now(&one, LINK_MAX).is_some() && now(&other, LINK_MAX).is_some());
    }

    #[test]
    fn brain_that_stops_lets_nobody_wait() {
        let brain = brain(1);
        let budget = budget(&brain);
        let _held = now(&budget, 1);
        brain.close();
        assert!(matches!(budget.take(1).now_or_never(), Some(None)));
    }
}
