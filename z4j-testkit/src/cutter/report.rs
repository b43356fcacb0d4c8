//! What a session came to.

use std::fmt;
use std::time::Duration;

use super::Way;
use crate::glue::{Tally, Trace};

/// How long a session is that nobody cuts, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What the agent sent.
    pub to_brain: u64,
    /// What the brain sent.
    pub to_agent: u64,
}

/// What a cut session came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CutReport {
    /// Where it was cut.
    pub cut: Option<(Way, u64)>,
    /// Connections that it took.
    pub dials: u64,
    /// What the connection carried that was to be cut.
    pub first_connection: Recording,
    /// How much virtual time passed.
    pub virtual_time: Duration,
    /// How often things happened.
    pub tally: Tally,
    /// What happened.
    pub trace: Trace,
    /// What did not hold; empty when all is well.
    pub violations: Vec<String>,
}

impl fmt::Display for CutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cut {
            Some((Way::ToBrain, after)) => write!(f, "cut after byte {after} to the brain")?,
            Some((Way::ToAgent, after)) => write!(f, "cut after byte {after} to the agent")?,
            None => f.write_str("not cut")?,
        }
        write!(
            f,
            ": {} connections, {} ms",
            self.dials,
            self.virtual_time.as_millis()
        )?;
        for violation in &self.violations {
            write!(f, "\n  violated: {violation}")?;
        }
        if !self.violations.is_empty() {
            for line in self.trace.lines() {
                write!(f, "\n  {line}")?;
            }
        }
        Ok(())
    }
}
