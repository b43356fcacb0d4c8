//! The bounded store of events that the brain has not acknowledged yet.
//!
//! An event is in one of three places: *waiting*, in a *batch* (a frame with an id that stays), or *undecided*: evicted
//! from memory while its frame was under way, so that only an ack or its absence says whether it was lost.
//!
//! Every event has a position in the agent's stream (`reliability.md` D11). On a link to a brain that resumes streams,
//! frames go out in the order of positions and say where they stand, and positions that will never come are declared.

use std::collections::VecDeque;
use std::time::Duration;

use z4j_core::limits;
use z4j_core::redact::Redacted;
use z4j_core::wire::BatchStream;

use crate::config::BufferLimits;

mod course;
mod evict;

pub(crate) use course::AheadOfUs;
use course::Course;

/// Events in one frame; far below what a brain takes, so that one refused frame costs little.
pub(crate) const EVENTS_PER_FRAME: usize = 500;
/// What an event costs in memory beside its text, in bytes.
const EVENT_OVERHEAD_BYTES: usize = 32;

/// One event as it will stand in a frame.
pub(crate) type EventJson = Redacted<Box<str>>;

/// An event and its place in the agent's stream, from 1.
#[derive(Debug)]
pub(crate) struct Kept {
    position: u64,
    pub(crate) json: EventJson,
}

/// What a push or a deadline cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evicted {
    /// Frames, or events that were in no frame yet.
    pub(crate) frames: u64,
    /// Events.
    pub(crate) events: u64,
}

impl Evicted {
    const fn add(&mut self, frames: u64, events: u64) {
        self.frames += frames;
        self.events += events;
    }
}

/// A frame of events that is due.
#[derive(Debug)]
pub(crate) enum Due<'a> {
    /// To be sent, again or for the first time.
    Batch {
        /// The frame's id, the same at every send.
        id: &'a str,
        /// Its events, oldest first.
        events: &'a [Kept],
        /// Where they stand in the stream, for a brain that resumes it.
        stream: Option<&'a BatchStream>,
    },
    /// One event was larger than any frame and is gone.
    Oversize,
}

#[derive(Debug)]
struct Batch {
    id: String,
    events: Vec<Kept>,
    stream: Option<BatchStream>,
    bytes: usize,
    /// When it was last sent on this link; `None` when it was not.
    sent_at: Option<Duration>,
}

#[derive(Debug)]
struct Undecided {
    id: String,
    events: u64,
    last_position: u64,
    sent_at: Duration,
}

/// Keeps events until they are acknowledged, within limits.
#[derive(Debug)]
pub(crate) struct EventBuffer {
    limits: BufferLimits,
    course: Course,
    waiting: VecDeque<Kept>,
    batches: VecDeque<Batch>,
    undecided: Vec<Undecided>,
    events: usize,
    bytes: usize,
}

impl EventBuffer {
    pub(crate) const fn new(limits: BufferLimits) -> Self {
        Self {
            limits,
            course: Course::new(),
            waiting: VecDeque::new(),
            batches: VecDeque::new(),
            undecided: Vec::new(),
            events: 0,
            bytes: 0,
        }
    }

    /// Events that are kept.
    pub(crate) const fn len(&self) -> usize {
        self.events
    }

    /// Bytes that they take.
    #[cfg(test)]
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing is kept and no evicted frame is still under way.
    pub(crate) fn is_settled(&self) -> bool {
        self.events == 0 && self.undecided.is_empty()
    }

    /// Takes an event; what it displaced is certain to be lost.
    pub(crate) fn push(&mut self, event: EventJson) -> Evicted {
        let mut evicted = Evicted::default();
        let bytes = cost(&event);
        if bytes > self.limits.bytes_max {
            evicted.add(1, 1);
            return evicted;
        }
        while self.events >= self.limits.events_max || self.bytes + bytes > self.limits.bytes_max {
            self.evict_oldest(&mut evicted);
        }
        self.events += 1;
        self.bytes += bytes;
        self.waiting.push_back(Kept {
            position: self.course.assign(),
            json: event,
        });
        evicted
    }

    /// The next frame to send, marked as sent at `now`; `None` when nothing is due or the window is full.
    pub(crate) fn next_due(
        &mut self,
        now: Duration,
        payload_bytes_max: usize,
        new_id: impl FnOnce() -> String,
    ) -> Option<Due<'_>> {
        let again = self
            .batches
            .iter()
            .position(|batch| is_due(batch.sent_at, now));
        let index = match again {
            Some(index) => index,
            None if self.in_flight() >= limits::UNACKED_BATCHES_MAX => return None,
            None => match self.frame_waiting(payload_bytes_max, new_id)? {
                Framed::Batch => self.batches.len().checked_sub(1)?,
                Framed::Oversize => return Some(Due::Oversize),
            },
        };
        let batch = self.batches.get_mut(index)?;
        batch.sent_at = Some(now);
        Some(Due::Batch {
            id: &batch.id,
            events: &batch.events,
            stream: batch.stream.as_ref(),
        })
    }

    /// When the next frame must be sent again, if no ack comes.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let batches = self.batches.iter().filter_map(|batch| batch.sent_at);
        let undecided = self.expiring().iter().map(|frame| frame.sent_at);
        batches
            .chain(undecided)
            .min()
            .map(|sent_at| sent_at + limits::ACK_WAIT)
    }

    /// The brain has the frame `id`. An unknown id is a late or repeated ack and changes nothing.
    pub(crate) fn acknowledge(&mut self, id: &str) -> usize {
        if let Some(index) = self.batches.iter().position(|batch| batch.id == id) {
            return self.batches.remove(index).map_or(0, |batch| {
                self.course.acknowledged(last_position(&batch.events));
                self.forget(&batch)
            });
        }
        self.undecided.retain(|frame| frame.id != id);
        0
    }

    /// Drops the frame `id`, which cannot be sent, and says how many events it held.
    pub(crate) fn discard(&mut self, id: &str) -> usize {
        let Some(index) = self.batches.iter().position(|batch| batch.id == id) else {
            return 0;
        };
        self.batches.remove(index).map_or(0, |batch| {
            if let Some(first) = batch.events.first() {
                self.course.never_sent(first.position);
            }
            self.forget(&batch)
        })
    }

    /// A link is up: what was under way on the last one is due at once. Frames that are larger than the new limit are
    /// taken apart. `stored` is where the brain's copy of the stream ends, if it keeps one: what lies before is settled.
    ///
    /// # Errors
    /// [`AheadOfUs`] when the brain says that it has more of the stream than was ever made. Nothing changes then.
    pub(crate) fn link_up(
        &mut self,
        payload_bytes_max: usize,
        stored: Option<u64>,
    ) -> Result<Evicted, AheadOfUs> {
        self.course.resume(stored)?;
        let lost = self.decide_evicted(stored);
        match stored {
            Some(position) => self.resume_after(position),
            None => self.resend_batches(payload_bytes_max),
        }
        Ok(lost)
    }

    /// The link is gone: no ack can decide any more what was evicted under way. The next brain may, if this one keeps the
    /// stream.
    pub(crate) fn link_down(&mut self) -> Evicted {
        for batch in &mut self.batches {
            batch.sent_at = None;
        }
        if self.course.is_resumable() {
            Evicted::default()
        } else {
            self.decide_evicted(None)
        }
    }

    /// Goes on in the order of positions: everything is framed anew, without what the brain has.
    fn resume_after(&mut self, position: u64) {
        while let Some(batch) = self.batches.pop_back() {
            self.unframe(batch);
        }
        self.waiting
            .make_contiguous()
            .sort_unstable_by_key(|kept| kept.position);
        while self
            .waiting
            .front()
            .is_some_and(|kept| kept.position <= position)
        {
            if let Some(kept) = self.waiting.pop_front() {
                self.forget_one(&kept);
            }
        }
    }

    fn resend_batches(&mut self, payload_bytes_max: usize) {
        for batch in &mut self.batches {
            batch.sent_at = None;
            batch.stream = None;
        }
        for index in (0..self.batches.len()).rev() {
            if self
                .batches
                .get(index)
                .is_some_and(|batch| batch.bytes > payload_bytes_max && batch.events.len() > 1)
            {
                // Later frames stay later: only the frames after it could be overtaken, and order is not promised.
                if let Some(batch) = self.batches.remove(index) {
                    self.unframe(batch);
                }
            }
        }
    }

    fn in_flight(&self) -> usize {
        self.batches.len() + self.undecided.len()
    }

    fn frame_waiting(
        &mut self,
        payload_bytes_max: usize,
        new_id: impl FnOnce() -> String,
    ) -> Option<Framed> {
        let mut events: Vec<Kept> = Vec::new();
        let mut bytes = 0;
        while let Some(kept) = self.waiting.front() {
            let more = wire_bytes(kept);
            let is_next = events
                .last()
                .is_none_or(|before| before.position + 1 == kept.position);
            let is_full = bytes + more > payload_bytes_max || events.len() == EVENTS_PER_FRAME;
            if is_full || (!is_next && self.course.is_resumable()) {
                break;
            }
            bytes += more;
            events.extend(self.waiting.pop_front());
        }
        let Some(first) = events.first().map(|kept| kept.position) else {
            let kept = self.waiting.pop_front()?;
            self.forget_one(&kept);
            return Some(Framed::Oversize);
        };
        self.batches.push_back(Batch {
            id: new_id(),
            stream: self.course.place(first, last_position(&events)),
            events,
            bytes,
            sent_at: None,
        });
        Some(Framed::Batch)
    }

    fn forget_one(&mut self, kept: &Kept) {
        self.events -= 1;
        self.bytes -= cost(&kept.json);
    }

    fn unframe(&mut self, batch: Batch) {
        for kept in batch.events.into_iter().rev() {
            self.waiting.push_front(kept);
        }
    }

    fn forget(&mut self, batch: &Batch) -> usize {
        self.events -= batch.events.len();
        self.bytes -= batch
            .events
            .iter()
            .map(|kept| cost(&kept.json))
            .sum::<usize>();
        batch.events.len()
    }
}

enum Framed {
    Batch,
    Oversize,
}

fn is_due(sent_at: Option<Duration>, now: Duration) -> bool {
    sent_at.is_none_or(|sent_at| now >= sent_at + limits::ACK_WAIT)
}

fn cost(event: &EventJson) -> usize {
    event.get().len() + EVENT_OVERHEAD_BYTES
}

/// Bytes of an event in a frame, with the comma that parts it from the next.
fn wire_bytes(kept: &Kept) -> usize {
    kept.json.get().len() + 1
}

fn last_position(events: &[Kept]) -> u64 {
    events.last().map_or(0, |kept| kept.position)
}

fn count(events: usize) -> u64 {
    u64::try_from(events).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
