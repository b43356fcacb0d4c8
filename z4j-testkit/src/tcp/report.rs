//! What a run came to.

use std::fmt;
use std::time::Duration;

use super::Fault;
use crate::glue::{Tally, Trace};

/// What a run came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TcpReport {
    /// The seed.
    pub seed: u64,
    /// How much virtual time passed.
    pub virtual_time: Duration,
    /// The faults that it brought.
    pub faults: Vec<Fault>,
    /// How often things happened.
    pub tally: Tally,
    /// What happened; two runs of one seed in fresh processes give the same.
    pub trace: Trace,
    /// Events that agents observed.
    pub events: usize,
    /// Commands that were issued.
    pub commands: usize,
    /// Links across which nothing passed and that had to be found dead.
    pub dead_links: usize,
    /// What did not hold; empty when all is well.
    pub violations: Vec<String>,
}

impl fmt::Display for TcpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} s, {} faults, {} links, {} events, {} batches resent, {} replays, {} commands, {} dead links, trace {:016x}",
            self.seed,
            self.virtual_time.as_secs(),
            self.faults.len(),
            self.tally.links,
            self.events,
            self.tally.resent_batches,
            self.tally.replays,
            self.commands,
            self.dead_links,
            self.trace.hash(),
        )?;
        for violation in &self.violations {
            write!(f, "\n  violated: {violation}")?;
        }
        if !self.violations.is_empty() {
            write!(
                f,
                "\n  replay: cargo xtask soak --layer t --seed {}",
                self.seed
            )?;
        }
        Ok(())
    }
}
