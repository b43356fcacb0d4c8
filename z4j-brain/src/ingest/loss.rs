//! Declared loss: for the agent's page as it was declared, for metrics as what is new of it.
//!
//! A buffer counts on when its process starts again, under another runtime id; adapters begin anew (wire §8.2). So the two are
//! different sources: what a buffer counted must not count once for each process that it had.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use z4j_core::store::DeclaredLoss;
use z4j_core::wire::TelemetryLoss;

use crate::metrics::Metrics;

/// Sources whose last declaration is remembered.
const SOURCES_MAX: usize = 4096;

/// The last declaration of each source.
#[derive(Debug, Default)]
pub(super) struct LossMemory {
    last: HashMap<(String, String), TelemetryLoss>,
}

impl LossMemory {
    /// Counts what a declaration adds to the one before. A new source starts at zero.
    pub(super) fn count(&mut self, metrics: &Metrics, loss: &TelemetryLoss) {
        self.count_source(metrics, "", of_buffer(loss));
        self.count_source(metrics, &loss.runtime_id, of_adapters(loss));
    }

    fn count_source(&mut self, metrics: &Metrics, runtime_id: &str, loss: TelemetryLoss) {
        let key = (loss.buffer_id.clone(), runtime_id.to_owned());
        let is_new = !self.last.contains_key(&key);
        if is_new && self.last.len() >= SOURCES_MAX {
            self.last.clear();
        }
        let before = self.last.insert(key, loss.clone()).unwrap_or_default();
        let adapters = |loss: &TelemetryLoss| {
            loss.adapter_events
                .values()
                .fold(0_u64, |sum, n| sum.saturating_add(*n))
        };
        let kinds = [
            ("event_records", before.event_records, loss.event_records),
            (
                "command_results",
                before.command_results,
                loss.command_results,
            ),
            ("other_frames", before.other_frames, loss.other_frames),
            ("adapter_events", adapters(&before), adapters(&loss)),
        ];
        for (kind, before, now) in kinds {
            let more = now.saturating_sub(before);
            if more > 0 {
                metrics.lost(kind, more);
            }
        }
    }
}

/// What the buffer counts, without what adapters count.
fn of_buffer(loss: &TelemetryLoss) -> TelemetryLoss {
    TelemetryLoss {
        adapter_events: BTreeMap::new(),
        ..loss.clone()
    }
}

/// What adapters count, without what the buffer counts.
fn of_adapters(loss: &TelemetryLoss) -> TelemetryLoss {
    TelemetryLoss {
        buffer_id: loss.buffer_id.clone(),
        adapter_events: loss.adapter_events.clone(),
        ..TelemetryLoss::default()
    }
}

/// A declaration as stores keep it.
pub(super) fn by_source(loss: &TelemetryLoss) -> Vec<DeclaredLoss> {
    let declared = |runtime_id: &str, counters: Value| DeclaredLoss {
        buffer_id: loss.buffer_id.clone(),
        runtime_id: runtime_id.to_owned(),
        counters: counters.to_string(),
    };
    let of_buffer = json!({
        "capacity_evicted_frames": loss.capacity_evicted_frames,
        "content_rejected_frames": loss.content_rejected_frames,
        "event_records": loss.event_records,
        "command_results": loss.command_results,
        "other_frames": loss.other_frames,
        "unclassified_frames": loss.unclassified_frames,
        "adapter_events": {},
    });
    let mut sources = vec![declared("", of_buffer)];
    if !loss.adapter_events.is_empty() {
        let of_adapters = json!({ "adapter_events": loss.adapter_events });
        sources.push(declared(&loss.runtime_id, of_adapters));
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_outlives_its_process_is_one_source() {
        let loss = |runtime: &str| TelemetryLoss {
            buffer_id: "b".to_owned(),
            runtime_id: runtime.to_owned(),
            event_records: 3,
            adapter_events: [("celery".to_owned(), 2)].into(),
            ..TelemetryLoss::default()
        };
        let (first, second) = (by_source(&loss("r1")), by_source(&loss("r2")));
        assert_eq!(first[0], second[0]);
        assert_eq!(
            second[1],
            DeclaredLoss {
                buffer_id: "b".to_owned(),
                runtime_id: "r2".to_owned(),
                counters: r#"{"adapter_events":{"celery":2}}"#.to_owned(),
            }
        );
    }
}
