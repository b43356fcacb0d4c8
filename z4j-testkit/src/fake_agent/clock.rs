//! A clock that can be set wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use z4j_core::env::{Clock, Env, SystemClock, SystemIds};
use z4j_core::time::Timestamp;

/// The machine's clock, off by a number of microseconds.
#[derive(Debug, Default)]
pub(crate) struct ShiftedClock {
    machine: SystemClock,
    shift_micros: AtomicI64,
}

impl ShiftedClock {
    /// The clock, and an environment that reads it.
    pub(crate) fn env() -> (Arc<Self>, Env) {
        let clock = Arc::new(Self::default());
        let env = Env::new(Arc::<Self>::clone(&clock), Arc::new(SystemIds));
        (clock, env)
    }

    /// Sets how far it is off.
    pub(crate) fn shift(&self, micros: i64) {
        self.shift_micros.store(micros, Ordering::Relaxed);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let micros = self.machine.now().as_micros();
        Timestamp::from_micros(micros.saturating_add(self.shift_micros.load(Ordering::Relaxed)))
    }

    fn elapsed(&self) -> Duration {
        self.machine.elapsed()
    }
}
