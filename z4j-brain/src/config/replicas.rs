//! How brains that share a store watch each other.

use std::time::Duration;

/// Beats that a brain must be able to miss before the others bury it.
const BEATS_MISSED_MIN: u32 = 3;

/// How brains that share a store watch each other. All brains of one store should have the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplicasConfig {
    /// How often a brain says that it lives (decision 8: 3 s).
    pub beat_interval: Duration,
    /// A brain whose beat stands still for this long is buried by the others (decision 8: 15 s).
    pub silent_after: Duration,
}

impl Default for ReplicasConfig {
    fn default() -> Self {
        Self {
            beat_interval: Duration::from_secs(3),
            silent_after: Duration::from_secs(15),
        }
    }
}

impl ReplicasConfig {
    /// Every setting that cannot work, each in one sentence.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.beat_interval.is_zero() || self.beat_interval > Duration::from_secs(60) {
            problems.push(
                "the beat interval of a brain must be above zero and at most a minute".to_owned(),
            );
        }
        if self.silent_after < self.beat_interval * BEATS_MISSED_MIN {
            problems
                .push("a brain must not count as dead before it has missed three beats".to_owned());
        }
        problems
    }
}
