//! Declared loss: for the agent's page as it was declared, for metrics as what is new of it.

use std::collections::HashMap;

use serde_json::json;
use z4j_core::wire::TelemetryLoss;

use crate::metrics::Metrics;

/// Runtimes whose last declaration is remembered.
const RUNTIMES_MAX: usize = 4096;

/// The last declaration of each buffer and runtime.
#[derive(Debug, Default)]
pub(super) struct LossMemory {
    last: HashMap<(String, String), TelemetryLoss>,
}

impl LossMemory {
    /// Counts what a declaration adds to the one before. A new runtime starts at zero.
    pub(super) fn count(&mut self, metrics: &Metrics, loss: &TelemetryLoss) {
        let key = (loss.buffer_id.clone(), loss.runtime_id.clone());
        let is_new = !self.last.contains_key(&key);
        if is_new && self.last.len() >= RUNTIMES_MAX {
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
            ("adapter_events", adapters(&before), adapters(loss)),
        ];
        for (kind, before, now) in kinds {
            let more = now.saturating_sub(before);
            if more > 0 {
                metrics.lost(kind, more);
            }
        }
    }
}

/// The counters as stores keep them.
pub(super) fn counters(loss: &TelemetryLoss) -> String {
    json!({
        "capacity_evicted_frames": loss.capacity_evicted_frames,
        "content_rejected_frames": loss.content_rejected_frames,
        "event_records": loss.event_records,
        "command_results": loss.command_results,
        "other_frames": loss.other_frames,
        "unclassified_frames": loss.unclassified_frames,
        "adapter_events": loss.adapter_events,
    })
    .to_string()
}
