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
