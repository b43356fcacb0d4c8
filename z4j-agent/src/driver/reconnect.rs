//! When to dial again: four classes of failure, each with its own schedule (wire §1.2), full jitter.

use std::time::Duration;

use z4j_core::env::Env;
use z4j_core::transport::{TransportError, TransportErrorKind};
use z4j_core::wire::CloseCode;

/// Why a link could not be had or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// The network, or a brain that is busy or gone.
    Connection,
    /// A frame that should not have come.
    Protocol,
    /// The credentials are not taken.
    Auth,
    /// The two versions do not go together.
    Incompatible,
}

impl FailureClass {
    const ALL: [Self; 4] = [
        Self::Connection,
        Self::Protocol,
        Self::Auth,
        Self::Incompatible,
    ];

    /// The delay after the first failure, and the longest one.
    const fn schedule(self) -> (Duration, Duration) {
        let (first_s, max_s) = match self {
            Self::Connection => (1, 30),
            Self::Protocol => (1, 60),
            Self::Auth => (10, 600),
            Self::Incompatible => (120, 3600),
        };
        (Duration::from_secs(first_s), Duration::from_secs(max_s))
    }

    /// The class of a failed dial, or of a link that ended before (`is_live` false) or after hello_ack.
    pub(crate) fn of(error: &TransportError, is_live: bool) -> Self {
        match error.kind() {
            TransportErrorKind::Refused(401) => Self::Auth,
            TransportErrorKind::Forbidden => Self::Incompatible,
            TransportErrorKind::Closed(reason) => {
                Self::of_close(CloseCode::from_code(reason.code), is_live)
            }
            _ => Self::Connection,
        }
    }

    const fn of_close(code: CloseCode, is_live: bool) -> Self {
        match (code, is_live) {
            (CloseCode::Unauthorized | CloseCode::Forbidden, false)
            | (CloseCode::Revoked, true) => Self::Auth,
            (CloseCode::ProtocolVersion | CloseCode::AgentVersion, false) => Self::Incompatible,
            _ => Self::Connection,
        }
    }
}

/// Failures in a row, by class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reconnect {
    streaks: [u32; FailureClass::ALL.len()],
}

impl Reconnect {
    /// Counts a failure and says how long to wait: uniform between nothing and the class's delay, so that a fleet
    /// that lost its brain together does not come back together.
    pub(crate) fn failed(&mut self, class: FailureClass, env: &Env) -> Duration {
        let (first, max) = class.schedule();
        let Some(streak) = self.streaks.get_mut(class as usize) else {
            return max;
        };
        let delay = first
            .saturating_mul(1_u32.checked_shl(*streak).unwrap_or(u32::MAX))
            .min(max);
        *streak = streak.saturating_add(1).min(31);
        env.jitter(delay)
    }

    /// A session proved good: every schedule starts anew.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Failures in a row of `class`.
    pub(crate) fn streak(&self, class: FailureClass) -> u64 {
        self.streaks
            .get(class as usize)
            .map_or(0, |streak| u64::from(*streak))
    }
}
