//! Resumable streams.

use std::collections::{BTreeMap, BTreeSet};

use z4j_core::id::AgentId;
use z4j_core::limits::STREAMS_PER_AGENT_MAX;
use z4j_core::store::{StoreError, StoreErrorKind, StreamGap, StreamKey, StreamSegment};
use z4j_core::time::Timestamp;

use super::db::Db;

/// A stream that somebody sent something of.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    pub(super) position: u64,
    pub(super) gaps: Vec<StreamGap>,
    at: Timestamp,
}

/// Where the streams stand after `segments`; nothing is written yet, because one hole refuses the whole batch.
pub(super) fn moved(
    db: &Db,
    segments: &[StreamSegment],
    at: Timestamp,
) -> Result<BTreeMap<StreamKey, Stream>, StoreError> {
    let mut moved: BTreeMap<StreamKey, Stream> = BTreeMap::new();
    for segment in segments {
        let stream = moved
            .entry(segment.key)
            .or_insert_with(|| db.streams.get(&segment.key).cloned().unwrap_or_default());
        let beyond = segment.beyond(stream.position).map_err(|hole| {
            StoreError::new(StoreErrorKind::StreamHole, "ingest").with_source(hole)
        })?;
        let Some((first, last)) = beyond else {
            continue;
        };
        if let Some(reason) = &segment.gap {
            stream.gaps.push(StreamGap {
                first,
                last,
                reason: reason.to_string(),
            });
        }
        stream.position = last;
        stream.at = stream.at.max(at);
    }
    Ok(moved)
}

/// Writes what [`moved`] gave, and forgets the streams of an agent that moved longest ago if it has too many, never one of these.
pub(super) fn write(db: &mut Db, moved: BTreeMap<StreamKey, Stream>) {
    let of_batch: BTreeSet<StreamKey> = moved.keys().copied().collect();
    let agents: BTreeSet<AgentId> = moved.keys().map(|key| key.agent_id).collect();
    db.streams.extend(moved);
    for agent in agents {
        let of_agent = db.streams.iter().filter(|(key, _)| key.agent_id == agent);
        let mut by_age: Vec<_> = of_agent.map(|(key, stream)| (stream.at, *key)).collect();
        by_age.sort_unstable();
        let kept_max = usize::try_from(STREAMS_PER_AGENT_MAX).unwrap_or(usize::MAX);
        let surplus = by_age.len().saturating_sub(kept_max);
        by_age.truncate(surplus);
        for (_, key) in by_age {
            if of_batch.contains(&key) {
                continue;
            }
            db.streams.remove(&key);
        }
    }
}
