//! Where time, ids and random numbers come from, so that a simulator can own all three.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::time::Timestamp;

/// Tells the time.
///
/// # Contract
/// `now` may jump in either direction; `elapsed` must never go backwards.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Time since some fixed start; for time-outs and rates.
    fn elapsed(&self) -> Duration;
}

/// Makes ids and jitter.
///
/// # Contract
/// `next_id` must not repeat within a deployment. Secrets are never made from it: they come from [`Env::secret_bytes`].
pub trait IdGen: Debug + Send + Sync + 'static {
    /// 128 bits that name something new.
    fn next_id(&self) -> u128;
    /// A uniform duration in `[0, max)`.
    fn jitter(&self, max: Duration) -> Duration;
    /// Fills `buffer` with bytes fit for a secret, or with seeded bytes in a simulation.
    fn fill(&self, buffer: &mut [u8]);
}

/// A clock and an id generator, handed to everything that needs one.
#[derive(Clone, Debug)]
pub struct Env {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
}

impl Env {
    /// Joins a clock and an id generator.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, ids: Arc<dyn IdGen>) -> Self {
        Self { clock, ids }
    }

    /// The machine's clock and the operating system's random source.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock::new()), Arc::new(SystemIds))
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time since some fixed start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// 128 bits that name something new.
    #[must_use]
    pub fn next_id(&self) -> u128 {
        self.ids.next_id()
    }

    /// A uniform duration in `[0, max)`.
    #[must_use]
    pub fn jitter(&self, max: Duration) -> Duration {
        self.ids.jitter(max)
    }

    /// `N` bytes fit for a secret.
    #[must_use]
    pub fn secret_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.ids.fill(&mut bytes);
        bytes
    }
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl SystemClock {
    /// Starts counting [`Clock::elapsed`] now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    pub fn new() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Ids and bytes from the operating system: time-ordered UUIDs (version 7).
#[derive(Debug, Default)]
pub struct SystemIds;

impl IdGen for SystemIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that makes random ids"
    )]
    fn next_id(&self) -> u128 {
        uuid::Uuid::now_v7().as_u128()
    }

    fn jitter(&self, max: Duration) -> Duration {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        max.mul_f64(f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
    }

    #[expect(
        clippy::expect_used,
        reason = "without the operating system's random source nothing secret can be made; stopping is the only safe answer"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system's random source must work");
    }
}
