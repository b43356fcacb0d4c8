//! What came of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use z4j_core::keys::sha256_hex;

use super::{Situation, Violation};

/// What came of a run.
#[derive(Clone, Debug)]
#[must_use]
pub struct Outcome {
    seed: u64,
    lasted: Duration,
    trace: String,
    violations: Vec<Violation>,
    met: BTreeMap<Situation, u64>,
}

impl Outcome {
    pub(crate) fn new(
        seed: u64,
        lasted: Duration,
        (trace, violations, met): (String, Vec<Violation>, BTreeMap<Situation, u64>),
    ) -> Self {
        Self {
            seed,
            lasted,
            trace,
            violations,
            met,
        }
    }

    /// The seed of the run.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// How much virtual time passed.
    #[must_use]
    pub const fn lasted(&self) -> Duration {
        self.lasted
    }

    /// Everything that happened, one line each, with its virtual time in microseconds.
    #[must_use]
    pub fn trace(&self) -> &str {
        &self.trace
    }

    /// SHA-256 of the trace, in hex.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256_hex(self.trace.as_bytes())
    }

    /// The promises that were broken, in the order in which that was found.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The situations that were met, and how often.
    #[must_use]
    pub const fn met(&self) -> &BTreeMap<Situation, u64> {
        &self.met
    }

    /// The command that plays the run again.
    #[must_use]
    pub fn replay_command(&self) -> String {
        format!("cargo xtask soak --layer f --seed {}", self.seed)
    }

    /// Checks that no promise was broken.
    ///
    /// # Panics
    /// With the broken promises and the command that plays the run again.
    #[expect(clippy::panic, reason = "this is how a test fails")]
    pub fn assert_sound(&self) {
        if !self.violations.is_empty() {
            panic!("{self}");
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.violations.is_empty() {
            return write!(f, "seed {}: every promise held", self.seed);
        }
        writeln!(f, "seed {} broke promises:", self.seed)?;
        for violation in &self.violations {
            writeln!(f, "  {violation}")?;
        }
        write!(f, "play it again with: {}", self.replay_command())
    }
}
