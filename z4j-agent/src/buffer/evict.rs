//! What goes when the buffer is full, and what becomes of it.

use std::time::Duration;

use super::{EventBuffer, Evicted, Undecided, count, is_due, last_position, wire_bytes};

impl EventBuffer {
    /// What was evicted under way is stored if the brain's copy of the stream reaches so far, else it is lost.
    pub(super) fn decide_evicted(&mut self, stored: Option<u64>) -> Evicted {
        let mut lost = Evicted::default();
        for frame in self.undecided.drain(..) {
            if stored.is_none_or(|position| position < frame.last_position) {
                lost.add(1, frame.events);
            }
        }
        lost
    }

    /// Evicted frames that are given up when no ack comes. Where a brain keeps the stream, it decides about them.
    pub(super) fn expiring(&self) -> &[Undecided] {
        if self.course.is_resumable() {
            &[]
        } else {
            &self.undecided
        }
    }

    /// Gives up on evicted frames whose ack did not come in time.
    pub(crate) fn expire(&mut self, now: Duration) -> Evicted {
        let mut lost = Evicted::default();
        if self.course.is_resumable() {
            return lost;
        }
        self.undecided.retain(|frame| {
            let expired = is_due(Some(frame.sent_at), now);
            if expired {
                lost.add(1, frame.events);
            }
            !expired
        });
        lost
    }

    pub(super) fn evict_oldest(&mut self, evicted: &mut Evicted) {
        match self.batches.front().map(|batch| batch.sent_at) {
            Some(Some(sent_at)) => {
                if let Some(batch) = self.batches.pop_front() {
                    self.forget(&batch);
                    self.undecided.push(Undecided {
                        events: count(batch.events.len()),
                        last_position: last_position(&batch.events),
                        id: batch.id,
                        sent_at,
                    });
                }
            }
            Some(None) => self.evict_from_front_batch(evicted),
            None => {
                if let Some(event) = self.waiting.pop_front() {
                    self.forget_one(&event);
                    evicted.add(1, 1);
                }
            }
        }
    }

    /// The oldest frame is not under way on this link, so no ack can come for what it held and it may shrink.
    fn evict_from_front_batch(&mut self, evicted: &mut Evicted) {
        let Some(batch) = self.batches.front_mut() else {
            return;
        };
        if batch.events.is_empty() {
            self.batches.pop_front();
            return;
        }
        let event = batch.events.remove(0);
        batch.bytes -= wire_bytes(&event);
        if batch.events.is_empty() {
            self.batches.pop_front();
        }
        self.forget_one(&event);
        evicted.add(1, 1);
    }
}
