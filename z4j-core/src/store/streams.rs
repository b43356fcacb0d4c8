//! Resumable streams: what proves that nothing is missing between an agent and the store (`reliability.md` D11).
//!
//! An agent numbers its events without a hole, in streams that it names. A store keeps the position up to which
//! everything is stored or declared lost, and moves it in the transaction that stores the events. So the answer to "where
//! shall I go on?" is exact, and a hole cannot hide.

use crate::id::{AgentId, ProjectId, StreamId};

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// The tenant, from the authenticated link.
    pub project_id: ProjectId,
    /// Whose stream, from the authenticated link.
    pub agent_id: AgentId,
    /// The agent's own name for it.
    pub stream_id: StreamId,
}

/// Positions `first..=last` of a stream, which a batch stores or declares lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSegment {
    /// The stream.
    pub key: StreamKey,
    /// The first position, from 1.
    pub first: u64,
    /// The last position, not before the first.
    pub last: u64,
    /// Why these positions have no events; `None` when the batch holds them.
    pub gap: Option<Box<str>>,
}

/// Positions that the agent declared lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamGap {
    /// The first position.
    pub first: u64,
    /// The last position.
    pub last: u64,
    /// Why.
    pub reason: String,
}

/// A segment begins after a position that is neither stored nor declared lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream stands at {position} and cannot go on at {first}")]
pub struct StreamHole {
    /// Up to here nothing is missing.
    pub position: u64,
    /// Where the segment begins.
    pub first: u64,
}

impl StreamSegment {
    /// The part of the segment that is new to a stream which stands at `position`; `None` when nothing is.
    ///
    /// # Errors
    /// [`StreamHole`] when positions before the segment are missing.
    pub const fn beyond(&self, position: u64) -> Result<Option<(u64, u64)>, StreamHole> {
        if self.first > position.saturating_add(1) {
            return Err(StreamHole {
                position,
                first: self.first,
            });
        }
        if self.last <= position {
            return Ok(None);
        }
        Ok(Some((position.saturating_add(1), self.last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first: u64, last: u64) -> StreamSegment {
        StreamSegment {
            key: StreamKey {
                project_id: ProjectId::from_u128(1),
                agent_id: AgentId::from_u128(2),
                stream_id: StreamId::from_u128(3),
            },
            first,
            last,
            gap: None,
        }
    }

    #[test]
    fn segment_is_new_behind_the_position_and_refused_beyond_a_hole() {
        assert_eq!(segment(1, 5).beyond(0), Ok(Some((1, 5))));
        assert_eq!(segment(3, 7).beyond(5), Ok(Some((6, 7))));
        assert_eq!(segment(3, 5).beyond(5), Ok(None));
        assert_eq!(segment(6, 6).beyond(5), Ok(Some((6, 6))));
        let hole = StreamHole {
            position: 5,
            first: 7,
        };
        assert_eq!(segment(7, 9).beyond(5), Err(hole));
    }
}
