//! The clock of a simulated network.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use z4j_core::env::Clock;
use z4j_core::time::Timestamp;

/// When every simulation begins: the first second of 2026.
const EPOCH_MICROS: i64 = 1_767_225_600_000_000;

/// Virtual time: that of the host that runs at the moment, and between hosts the latest that was seen.
#[derive(Debug, Default)]
pub struct SimClock {
    latest_micros: AtomicU64,
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(EPOCH_MICROS).plus(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        match turmoil::sim_elapsed() {
            Some(elapsed) => {
                let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
                self.latest_micros.fetch_max(micros, Ordering::Relaxed);
                elapsed
            }
            None => Duration::from_micros(self.latest_micros.load(Ordering::Relaxed)),
        }
    }
}
