//! Time and ids of one simulated process: virtual, skewed at will, and seeded.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use z4j_core::env::{Clock, Env, IdGen};
use z4j_core::time::Timestamp;

use super::Chance;

/// Where true time begins: 2026-11-23T08:00:00Z.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_micros(1_795_420_800_000_000);

/// The clock of one simulated process.
#[derive(Debug)]
pub(crate) struct SimClock {
    begin: Instant,
    ahead_micros: AtomicI64,
}

impl SimClock {
    pub(crate) fn new(begin: Instant) -> Arc<Self> {
        Arc::new(Self {
            begin,
            ahead_micros: AtomicI64::new(0),
        })
    }

    /// Sets the clock off true time by this much.
    pub(crate) fn set_ahead(&self, micros: i64) {
        self.ahead_micros.store(micros, Ordering::Relaxed);
    }

    /// How far it is off true time, in microseconds.
    pub(crate) fn ahead(&self) -> i64 {
        self.ahead_micros.load(Ordering::Relaxed)
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let now = BEGINNING.plus(self.elapsed());
        Timestamp::from_micros(now.as_micros().saturating_add(self.ahead()))
    }

    fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.begin)
    }
}

/// Ids and jitter that follow from the seed.
#[derive(Debug)]
pub(crate) struct SimIds(Mutex<Chance>);

impl SimIds {
    pub(crate) const fn new(chance: Chance) -> Self {
        Self(Mutex::new(chance))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Chance) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl IdGen for SimIds {
    fn next_id(&self) -> u128 {
        self.with(|chance| u128::from(chance.next()) << 64 | u128::from(chance.next()))
    }

    fn jitter(&self, max: Duration) -> Duration {
        let micros = u64::try_from(max.as_micros()).unwrap_or(u64::MAX);
        self.with(|chance| Duration::from_micros(chance.below(micros)))
    }

    fn fill(&self, buffer: &mut [u8]) {
        self.with(|chance| chance.fill(buffer));
    }
}

/// An environment with this clock and the stream `name` of `seed`.
pub(crate) fn env(clock: &Arc<SimClock>, seed: u64, name: &str) -> Env {
    let ids = SimIds::new(Chance::new(seed, name));
    Env::new(Arc::<SimClock>::clone(clock), Arc::new(ids))
}

/// The same without chance in its delays.
pub(crate) fn env_without_jitter(clock: &Arc<SimClock>, seed: u64, name: &str) -> Env {
    let ids = Steady(SimIds::new(Chance::new(seed, name)));
    Env::new(Arc::<SimClock>::clone(clock), Arc::new(ids))
}

/// Ids like any other, and the longest delay every time.
#[derive(Debug)]
struct Steady(SimIds);

impl IdGen for Steady {
    fn next_id(&self) -> u128 {
        self.0.next_id()
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }

    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }
}
