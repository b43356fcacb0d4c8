//! What was lost, counted since the buffer began, so that nothing goes missing in silence.

use std::collections::BTreeMap;

use z4j_core::limits;
use z4j_core::wire::TelemetryLoss;

/// Cumulative counters; none ever goes down.
#[derive(Debug)]
pub(crate) struct LossLedger {
    counters: TelemetryLoss,
}

impl LossLedger {
    /// Starts at zero, under ids that no other buffer and no other run has.
    pub(crate) fn new(
        buffer_id: String,
        runtime_id: String,
        engines: impl Iterator<Item = String>,
    ) -> Self {
        Self {
            counters: TelemetryLoss {
                buffer_id,
                runtime_id,
                adapter_events: engines
                    .map(|engine| (engine, 0))
                    .collect::<BTreeMap<_, _>>(),
                ..TelemetryLoss::default()
            },
        }
    }

    /// Events that went because the buffer was full.
    pub(crate) fn evicted(&mut self, frames: u64, events: u64) {
        add(&mut self.counters.capacity_evicted_frames, frames);
        add(&mut self.counters.event_records, events);
    }

    /// One event that no frame can carry.
    pub(crate) fn rejected_event(&mut self) {
        add(&mut self.counters.content_rejected_frames, 1);
        add(&mut self.counters.event_records, 1);
    }

    /// One command result that no frame can carry as it is.
    pub(crate) fn rejected_result(&mut self) {
        add(&mut self.counters.content_rejected_frames, 1);
        add(&mut self.counters.command_results, 1);
    }

    /// A heartbeat or status that no frame can carry.
    pub(crate) fn rejected_other(&mut self) {
        add(&mut self.counters.content_rejected_frames, 1);
        add(&mut self.counters.other_frames, 1);
    }

    /// Events that an engine lost before the agent saw them.
    pub(crate) fn lost_by_engine(&mut self, engine: &str, events: u64) {
        if let Some(counter) = self.counters.adapter_events.get_mut(engine) {
            add(counter, events);
        }
    }

    /// Events lost so far, wherever.
    pub(crate) fn dropped_events(&self) -> u64 {
        self.counters.dropped_events()
    }

    /// The counters as they go to the brain.
    pub(crate) fn report(&self) -> TelemetryLoss {
        self.counters.clone()
    }
}

fn add(counter: &mut u64, more: u64) {
    *counter = counter.saturating_add(more).min(limits::SAFE_INTEGER_MAX);
}
