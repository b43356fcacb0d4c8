//! What happened in a run: the trace, broken promises, and the situations that were met.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Situation;

/// Broken promises of one kind that are kept; one would do.
const OF_A_KIND_MAX: usize = 5;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The slug of the invariant, such as `ack_is_durable`.
    pub invariant: &'static str,
    /// When, in virtual time since the beginning.
    pub at: Duration,
    /// What was found.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_secs_f64();
        write!(f, "{} broken at {at:.3} s: {}", self.invariant, self.detail)
    }
}

#[derive(Debug, Default)]
struct Inner {
    trace: String,
    violations: Vec<Violation>,
    met: BTreeMap<Situation, u64>,
}

/// Collects what happens. Clones are one record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    begin: Instant,
    inner: Arc<Mutex<Inner>>,
}

impl Record {
    pub(crate) fn new(begin: Instant) -> Self {
        Self {
            begin,
            inner: Arc::default(),
        }
    }

    /// Virtual time since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.begin)
    }

    /// The beginning.
    pub(crate) const fn begin(&self) -> Instant {
        self.begin
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&self, line: fmt::Arguments<'_>) {
        let at = self.elapsed().as_micros();
        // Writing to a string cannot fail.
        let _ = writeln!(self.lock().trace, "{at} {line}");
    }

    /// Counts a situation.
    pub(crate) fn meet(&self, situation: Situation) {
        *self.lock().met.entry(situation).or_default() += 1;
    }

    /// Notes a broken promise.
    pub(crate) fn violate(&self, invariant: &'static str, detail: String) {
        self.note(format_args!("BROKEN {invariant} {detail}"));
        let at = self.elapsed();
        let mut inner = self.lock();
        let of_kind = inner.violations.iter().filter(|v| v.invariant == invariant);
        if of_kind.count() < OF_A_KIND_MAX {
            inner.violations.push(Violation {
                invariant,
                at,
                detail,
            });
        }
    }

    /// Everything, at the end.
    pub(crate) fn take(&self) -> (String, Vec<Violation>, BTreeMap<Situation, u64>) {
        let inner = std::mem::take(&mut *self.lock());
        (inner.trace, inner.violations, inner.met)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A short name of some bytes for the trace (FNV-1a).
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
