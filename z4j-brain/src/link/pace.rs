//! How fast something may happen.

use std::time::Duration;

/// Lets things happen at a rate, with a burst (generic cell rate algorithm).
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval: Duration,
    slack: Duration,
    /// The time at which the next one is due if nothing more comes than the rate allows.
    due: Duration,
}

impl Pace {
    /// `per_second` on average, up to `burst` at once.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            interval,
            slack: interval.saturating_mul(burst),
            due: Duration::ZERO,
        }
    }

    /// Counts one at `now`; how long it has to wait, zero when it is within the pace.
    pub(super) fn wait(&mut self, now: Duration) -> Duration {
        self.due = self.due.max(now) + self.interval;
        self.due.saturating_sub(now).saturating_sub(self.slack)
    }

    /// Counts one at `now` if it is within the pace.
    pub(super) fn admits(&mut self, now: Duration) -> bool {
        let before = self.due;
        let is_within = self.wait(now).is_zero();
        if !is_within {
            self.due = before;
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_is_above_the_rate_waits() {
        let mut pace = Pace::new(10, 5);
        let start = Duration::from_secs(100);
        assert!((0..5).all(|_| pace.wait(start).is_zero()));
        assert_eq!(pace.wait(start), Duration::from_millis(100));
        let later = start + Duration::from_secs(1);
        assert!((0..5).all(|_| pace.admits(later)));
        assert!(!pace.admits(later));
        assert!(pace.admits(later + Duration::from_millis(100)));
    }
}
