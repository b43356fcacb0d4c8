//! Where the events of a frame stand in their agent's stream (`reliability.md` D11).

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::limits;

/// The member `stream` of an event_batch: `{"first": 101, "gaps": [{"from": 90, "to": 100, "reason": "evicted"}]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchStream {
    /// The position of the frame's first event; the others follow without a hole. Positions count from 1.
    pub first: u64,
    /// Positions before `first` that will never come, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<BatchGap>,
}

/// Positions that will never come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchGap {
    /// The first of them.
    pub from: u64,
    /// The last of them.
    pub to: u64,
    /// A stable word for why, such as `evicted`.
    pub reason: String,
}

impl BatchStream {
    /// The positions of `events` events that follow [`Self::first`]; `None` when the numbers cannot be right.
    #[must_use]
    pub fn positions(&self, events: usize) -> Option<RangeInclusive<u64>> {
        let events = u64::try_from(events).ok()?;
        let last = self.first.checked_add(events)?.checked_sub(1)?;
        (self.first > 0 && last <= limits::SAFE_INTEGER_MAX).then_some(self.first..=last)
    }

    /// Whether the gaps are in order, end before [`Self::first`] and are few and short enough to be kept.
    #[must_use]
    pub fn has_sound_gaps(&self) -> bool {
        let mut before = 0;
        self.gaps.len() <= limits::STREAM_GAPS_PER_FRAME_MAX
            && self.gaps.iter().all(|gap| {
                let is_sound = gap.from > before
                    && gap.from <= gap.to
                    && gap.to < self.first
                    && gap.reason.len() <= limits::STREAM_GAP_REASON_BYTES_MAX;
                before = gap.to;
                is_sound
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(from: u64, to: u64) -> BatchGap {
        BatchGap {
            from,
            to,
            reason: "evicted".to_owned(),
        }
    }

    #[test]
    fn positions_follow_the_first() {
        let stream = |first| BatchStream {
            first,
            gaps: Vec::new(),
        };
        assert_eq!(stream(5).positions(3), Some(5..=7));
        assert!(stream(5).positions(0).is_some_and(|none| none.is_empty()));
        assert_eq!(stream(0).positions(3), None);
        assert_eq!(stream(u64::MAX).positions(3), None);
    }

    #[test]
    fn gaps_stand_in_order_before_the_first() {
        let sound = |gaps| BatchStream { first: 10, gaps }.has_sound_gaps();
        assert!(sound(vec![]));
        assert!(sound(vec![gap(1, 3), gap(4, 9)]));
        assert!(!sound(vec![gap(4, 9), gap(1, 3)]));
        assert!(!sound(vec![gap(4, 10)]));
        assert!(!sound(vec![gap(5, 4)]));
        assert!(!sound(vec![gap(0, 4)]));
    }
}
