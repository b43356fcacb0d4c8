//! The agent's stream: which positions are given out, and how far the brain at the other end has come.

use z4j_core::wire::{BatchGap, BatchStream};

/// Positions whose events were dropped before a brain had them.
const EVICTED: &str = "evicted";
/// Positions that a brain acknowledged which kept no stream, or has forgotten it.
const SETTLED: &str = "settled";

/// The brain says that it has positions which were never given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AheadOfUs {
    /// What it says.
    pub(crate) stored: u64,
    /// The last position that was given out.
    pub(crate) assigned: u64,
}

/// Positions, from 1 and without a hole.
#[derive(Debug)]
pub(super) struct Course {
    assigned: u64,
    /// The highest position that an ack named.
    acknowledged: u64,
    /// The last position that was framed or declared for the brain at the other end; `None` if it keeps no stream.
    framed: Option<u64>,
}

impl Course {
    pub(super) const fn new() -> Self {
        Self {
            assigned: 0,
            acknowledged: 0,
            framed: None,
        }
    }

    /// The position of a new event.
    pub(super) const fn assign(&mut self) -> u64 {
        self.assigned += 1;
        self.assigned
    }

    /// An ack named a frame that ends there.
    pub(super) fn acknowledged(&mut self, position: u64) {
        self.acknowledged = self.acknowledged.max(position);
    }

    /// A frame that begins at `first` was placed and will not be sent: what it held counts as evicted.
    pub(super) fn never_sent(&mut self, first: u64) {
        self.framed = self
            .framed
            .map(|framed| framed.min(first.saturating_sub(1)));
    }

    /// A new link: the brain has everything up to `stored`, or keeps no stream.
    pub(super) fn resume(&mut self, stored: Option<u64>) -> Result<(), AheadOfUs> {
        if let Some(stored) = stored.filter(|stored| *stored > self.assigned) {
            return Err(AheadOfUs {
                stored,
                assigned: self.assigned,
            });
        }
        self.framed = stored;
        Ok(())
    }

    /// Whether the brain at the other end of this link, or of the last one, keeps the stream.
    pub(super) const fn is_resumable(&self) -> bool {
        self.framed.is_some()
    }

    /// Where a frame of the positions `first..=last` stands, and what is missing before it.
    pub(super) fn place(&mut self, first: u64, last: u64) -> Option<BatchStream> {
        let framed = self.framed?;
        let (missing, until) = (framed + 1, first.saturating_sub(1));
        let settled_until = self.acknowledged.min(until);
        let mut gaps = Vec::new();
        if missing <= settled_until {
            gaps.push(gap(missing, settled_until, SETTLED));
        }
        let evicted = missing.max(settled_until + 1);
        if evicted <= until {
            gaps.push(gap(evicted, until, EVICTED));
        }
        self.framed = Some(last.max(framed));
        Some(BatchStream { first, gaps })
    }
}

fn gap(from: u64, to: u64, reason: &str) -> BatchGap {
    BatchGap {
        from,
        to,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(assigned: u64, acknowledged: u64, stored: u64) -> Course {
        let mut course = Course::new();
        for _ in 0..assigned {
            course.assign();
        }
        course.acknowledged(acknowledged);
        course.resume(Some(stored)).unwrap();
        course
    }

    #[test]
    fn frames_follow_each_other_without_gaps() {
        let mut course = course(10, 0, 2);
        for (first, last) in [(3, 5), (6, 6)] {
            let place = course.place(first, last).unwrap();
            assert_eq!(
                place,
                BatchStream {
                    first,
                    gaps: vec![]
                }
            );
        }
    }

    #[test]
    fn what_is_missing_is_declared_with_its_reason() {
        let mut course = course(20, 6, 4);
        let place = course.place(10, 12).unwrap();
        assert_eq!(place.gaps, [gap(5, 6, SETTLED), gap(7, 9, EVICTED)]);
        assert!(place.has_sound_gaps());
        assert_eq!(course.place(13, 20).unwrap().gaps, []);
    }

    #[test]
    fn brain_that_has_more_than_was_made_is_not_believed() {
        let mut course = course(3, 0, 0);
        let ahead = AheadOfUs {
            stored: 4,
            assigned: 3,
        };
        assert_eq!(course.resume(Some(4)), Err(ahead));
        assert_eq!(course.resume(Some(3)), Ok(()));
    }

    #[test]
    fn brain_without_streams_is_told_no_places() {
        let mut course = course(3, 0, 0);
        course.resume(None).unwrap();
        assert_eq!(course.place(1, 3), None);
    }
}
