//! How long to wait before the next attempt.

use std::time::Duration;

use super::FailureClass;
use crate::env::Env;
use crate::limits::GOOD_SESSION;

/// How chance is mixed into a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// The base and up to three tenths more (wire §1.2).
    Added,
    /// Anything between nothing and the base, so that a fleet spreads out (reliability §2).
    Full,
}

/// The delays of one class: they double from `base` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The first base.
    pub base: Duration,
    /// The largest base.
    pub max: Duration,
    /// How chance is mixed in.
    pub jitter: Jitter,
}

/// A schedule for each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffPolicy {
    /// Lost links.
    pub connection: Schedule,
    /// Errors of the brain.
    pub protocol: Schedule,
    /// Wrong versions.
    pub incompatible: Schedule,
    /// Refused tokens.
    pub auth: Schedule,
}

const fn schedule(base_seconds: u64, max_seconds: u64, jitter: Jitter) -> Schedule {
    Schedule {
        base: Duration::from_secs(base_seconds),
        max: Duration::from_secs(max_seconds),
        jitter,
    }
}

impl BackoffPolicy {
    /// What published agents do (wire §1.2).
    #[must_use]
    pub const fn published() -> Self {
        Self {
            connection: schedule(1, 30, Jitter::Added),
            protocol: schedule(1, 60, Jitter::Added),
            incompatible: schedule(120, 3600, Jitter::Added),
            auth: schedule(10, 600, Jitter::Added),
        }
    }

    /// The same bases, but lost links and errors come back with full jitter. Refusals that only a person can mend keep
    /// a least delay.
    #[must_use]
    pub const fn full_jitter() -> Self {
        Self {
            connection: schedule(1, 30, Jitter::Full),
            protocol: schedule(1, 60, Jitter::Full),
            ..Self::published()
        }
    }

    const fn of(&self, class: FailureClass) -> Schedule {
        match class {
            FailureClass::Connection => self.connection,
            FailureClass::Protocol => self.protocol,
            FailureClass::Incompatible => self.incompatible,
            FailureClass::Auth => self.auth,
        }
    }
}

/// Counts failures by class and says how long to wait.
#[derive(Clone, Debug)]
pub struct Backoff {
    policy: BackoffPolicy,
    streaks: [u32; FailureClass::ALL.len()],
}

impl Backoff {
    /// No failure yet.
    #[must_use]
    pub const fn new(policy: BackoffPolicy) -> Self {
        Self {
            policy,
            streaks: [0; FailureClass::ALL.len()],
        }
    }

    /// A session ended after it `lived` so long. Only a good one, by age or because a frame was acknowledged, makes
    /// the delays start anew: a handshake alone does not, or a brain that dies at once would be stormed.
    pub fn session_ended(&mut self, lived: Duration, had_ack: bool) {
        if had_ack || lived >= GOOD_SESSION {
            self.streaks = [0; FailureClass::ALL.len()];
        }
    }

    /// Failures of `class` in a row.
    #[must_use]
    pub fn streak(&self, class: FailureClass) -> u32 {
        self.streaks.get(class as usize).copied().unwrap_or(0)
    }

    /// Counts a failure and says how long to wait before the next attempt.
    pub fn delay(&mut self, class: FailureClass, env: &Env) -> Duration {
        let schedule = self.policy.of(class);
        let factor = 1_u32
            .checked_shl(self.streak(class).min(31))
            .unwrap_or(u32::MAX);
        if let Some(streak) = self.streaks.get_mut(class as usize) {
            *streak = streak.saturating_add(1);
        }
        let base = schedule.base.saturating_mul(factor).min(schedule.max);
        match schedule.jitter {
            Jitter::Added => base + env.jitter(base.mul_f64(0.3)),
            Jitter::Full => env.jitter(base),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_delays_double_within_three_tenths_up_to_the_largest() {
        let env = Env::system();
        let mut backoff = Backoff::new(BackoffPolicy::published());
        for base in [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0] {
            let delay = backoff.delay(FailureClass::Auth, &env).as_secs_f64();
            assert!((base..=base * 1.3).contains(&delay), "{delay} for {base}");
        }
        assert_eq!(backoff.streak(FailureClass::Connection), 0);
    }

    #[test]
    fn full_jitter_stays_below_the_cap_however_long_it_lasts() {
        let env = Env::system();
        let mut backoff = Backoff::new(BackoffPolicy::full_jitter());
        for _ in 0..100 {
            assert!(backoff.delay(FailureClass::Connection, &env) < Duration::from_secs(30));
        }
    }

    #[test]
    fn only_a_good_session_makes_delays_start_anew() {
        let env = Env::system();
        let mut backoff = Backoff::new(BackoffPolicy::published());
        backoff.delay(FailureClass::Connection, &env);
        backoff.session_ended(Duration::from_secs(59), false);
        assert_eq!(backoff.streak(FailureClass::Connection), 1);
        backoff.session_ended(Duration::ZERO, true);
        assert_eq!(backoff.streak(FailureClass::Connection), 0);
        backoff.delay(FailureClass::Connection, &env);
        backoff.session_ended(GOOD_SESSION, false);
        assert_eq!(backoff.streak(FailureClass::Connection), 0);
    }

    #[test]
    fn the_worst_class_is_the_largest() {
        let classes = FailureClass::ALL;
        assert!(classes.is_sorted());
        assert_eq!(classes.iter().max(), Some(&FailureClass::Auth));
    }
}
