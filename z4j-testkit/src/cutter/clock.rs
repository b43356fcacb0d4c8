//! The clock of a paused runtime.

use std::time::Duration;

use tokio::time::Instant;
use z4j_core::env::Clock;
use z4j_core::time::Timestamp;

/// When every session begins: the first second of 2026.
const EPOCH_MICROS: i64 = 1_767_225_600_000_000;

/// The time of a tokio runtime, which is virtual when the runtime is paused.
#[derive(Debug)]
pub struct PausedClock {
    start: Instant,
}

impl PausedClock {
    /// Begins now. Must be called on the runtime.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for PausedClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(EPOCH_MICROS).plus(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
