//! The agent's stream as one link continues it (`reliability.md` D11).

use z4j_core::store::{StreamKey, StreamSegment};
use z4j_core::wire::{BatchStream, EventBatch};

use crate::ingest::RefusalNote;

/// Where a link's agent is in its stream. Only frames that go on there, or repeat what came before, are taken.
#[derive(Debug)]
pub(super) struct LinkStream {
    key: StreamKey,
    /// The last position that came on this link, or that the store had when it opened.
    position: u64,
}

impl LinkStream {
    /// Goes on after `position`.
    pub(super) const fn new(key: StreamKey, position: u64) -> Self {
        Self { key, position }
    }

    /// Which stream it is.
    pub(super) const fn key(&self) -> StreamKey {
        self.key
    }

    /// Up to where the store had everything when the link opened.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// What a frame adds to the stream.
    ///
    /// # Errors
    /// Why the frame must be refused and the link ended: the agent comes back and goes on where the store is.
    pub(super) fn take(
        &mut self,
        batch: &EventBatch<'_>,
    ) -> Result<Vec<StreamSegment>, RefusalNote> {
        let Some(stream) = &batch.stream else {
            return Err(malformed());
        };
        let positions = stream.positions(batch.entries.len());
        let Some(positions) = positions.filter(|_| stream.has_sound_gaps()) else {
            return Err(malformed());
        };
        let mut segments = self.gaps(stream);
        if !positions.is_empty() {
            segments.push(StreamSegment {
                key: self.key,
                first: *positions.start(),
                last: *positions.end(),
                gap: None,
            });
        }
        let mut position = self.position;
        for segment in &segments {
            match segment.beyond(position) {
                Ok(beyond) => position = beyond.map_or(position, |(_, last)| last),
                Err(hole) => {
                    return Err(RefusalNote::new(
                        "stream_hole",
                        format!(
                            "A frame goes on at {} where {} was next: events are missing.",
                            hole.first,
                            hole.position + 1
                        ),
                    ));
                }
            }
        }
        self.position = position;
        Ok(segments)
    }

    fn gaps(&self, stream: &BatchStream) -> Vec<StreamSegment> {
        let gap = |gap: &z4j_core::wire::BatchGap| StreamSegment {
            key: self.key,
            first: gap.from,
            last: gap.to,
            gap: Some(word(&gap.reason)),
        };
        stream.gaps.iter().map(gap).collect()
    }
}

/// A reason is a word of the agent's program. What is not one could be anything, and is not kept.
fn word(reason: &str) -> Box<str> {
    let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
    if !reason.is_empty() && reason.chars().all(is_word) {
        reason.into()
    } else {
        "unnamed".into()
    }
}

fn malformed() -> RefusalNote {
    RefusalNote::new(
        "malformed_stream",
        "A frame does not say where its events stand in the agent's stream.",
    )
}

#[cfg(test)]
mod tests {
    use z4j_core::id::{AgentId, ProjectId, StreamId};
    use z4j_core::wire::{BatchEntry, BatchGap, RawJson};

    use super::*;

    fn stream_at(position: u64) -> LinkStream {
        let key = StreamKey {
            project_id: ProjectId::from_u128(1),
            agent_id: AgentId::from_u128(2),
            stream_id: StreamId::from_u128(3),
        };
        LinkStream::new(key, position)
    }

    fn batch(first: u64, events: usize, gaps: &[(u64, u64)]) -> EventBatch<'static> {
        let entry = BatchEntry::Malformed {
            raw: RawJson::NULL,
            reason: "test",
        };
        let gap = |(from, to): &(u64, u64)| BatchGap {
            from: *from,
            to: *to,
            reason: "evicted".to_owned(),
        };
        EventBatch {
            entries: vec![entry; events],
            stream: Some(BatchStream {
                first,
                gaps: gaps.iter().map(gap).collect(),
            }),
        }
    }

    #[test]
    fn stream_goes_on_repeats_and_takes_declared_gaps() {
        let mut stream = stream_at(4);
        assert_eq!(stream.take(&batch(5, 3, &[])).unwrap().len(), 1);
        assert_eq!(stream.position(), 7);
        assert_eq!(stream.take(&batch(5, 3, &[])).unwrap().len(), 1);
        assert_eq!(stream.position(), 7);
        assert_eq!(stream.take(&batch(11, 1, &[(8, 10)])).unwrap().len(), 2);
        assert_eq!(stream.position(), 11);
    }

    #[test]
    fn hole_is_refused_and_moves_nothing() {
        let mut stream = stream_at(4);
        assert_eq!(
            stream.take(&batch(6, 1, &[])).unwrap_err().code,
            "stream_hole"
        );
        assert_eq!(
            stream.take(&batch(9, 1, &[(5, 6)])).unwrap_err().code,
            "stream_hole"
        );
        assert_eq!(stream.position(), 4);
    }

    #[test]
    fn frame_without_a_place_is_refused() {
        let mut stream = stream_at(4);
        let nowhere = EventBatch {
            stream: None,
            ..batch(5, 1, &[])
        };
        for batch in [nowhere, batch(0, 1, &[]), batch(5, 1, &[(5, 5)])] {
            assert_eq!(stream.take(&batch).unwrap_err().code, "malformed_stream");
        }
    }

    #[test]
    fn reason_that_is_no_word_is_not_kept() {
        assert_eq!(&*word("evicted"), "evicted");
        assert_eq!(&*word("password is hunter2"), "unnamed");
    }
}
