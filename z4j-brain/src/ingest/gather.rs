//! The queue in front of a commit: fair between links, whatever each of them sends.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use z4j_core::id::LinkId;

use super::frame::PendingFrame;

/// Events that one commit takes before it stops gathering.
const BATCH_EVENTS: usize = 2_000;
/// Bytes of frames that one commit takes before it stops gathering.
const BATCH_BYTES: usize = 8 << 20;

/// Frames that wait for a commit. Bounded by the permits that each of them holds.
#[derive(Debug, Default)]
pub(super) struct Gather {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    by_link: HashMap<LinkId, VecDeque<PendingFrame>>,
    /// Links that have frames, the one to be served next in front.
    turns: VecDeque<LinkId>,
    is_closed: bool,
}

impl Gather {
    /// Adds a frame behind those of the same link.
    pub(super) fn push(&self, frame: PendingFrame) {
        let mut waiting = self.lock();
        let id = frame.link.id;
        let of_link = waiting.by_link.entry(id).or_default();
        of_link.push_back(frame);
        if of_link.len() == 1 {
            waiting.turns.push_back(id);
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// No frame comes any more: [`Self::next`] ends when nothing waits.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
    }

    /// Waits for frames and takes one of each link in turn until the batch is full; `None` at the end.
    pub(super) async fn next(&self) -> Option<Vec<PendingFrame>> {
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.turns.is_empty() {
                    return Some(waiting.take());
                }
                if waiting.is_closed {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Takes what waits now, up to a full batch.
    pub(super) fn take_now(&self) -> Vec<PendingFrame> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Vec<PendingFrame> {
        let mut taken = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        while events < BATCH_EVENTS && bytes < BATCH_BYTES {
            let Some(frame) = self.take_one() else { break };
            // A frame without events costs a place too, so that empty frames cannot make a batch endless.
            events += frame.received.max(1);
            bytes += frame.permits.bytes();
            taken.push(frame);
        }
        taken
    }

    fn take_one(&mut self) -> Option<PendingFrame> {
        let id = self.turns.pop_front()?;
        let of_link = self.by_link.get_mut(&id)?;
        let frame = of_link.pop_front();
        if of_link.is_empty() {
            self.by_link.remove(&id);
        } else {
            self.turns.push_back(id);
        }
        frame
    }
}
