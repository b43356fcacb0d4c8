//! Reconnects spread out (`reliability.md` §2): Rust agents that fail together do not come back in lockstep.

use std::time::Duration;

use super::Broken;
use crate::sim::Picture;
use crate::sim::oracle::Facts;

/// Attempts in a row that chance does not make by the same rhythm.
const ATTEMPTS: usize = 4;
/// How far two attempts may be apart to count as one moment.
const MOMENT: Duration = Duration::from_millis(25);

pub(super) fn check(_: &Picture, facts: &Facts, broken: &mut Broken) {
    for (no, process) in facts.processes.iter().filter(|(_, p)| p.is_in_memory) {
        let pauses: Vec<Duration> = process
            .dials
            .windows(2)
            .filter_map(|pair| Some(pair.last()?.saturating_sub(*pair.first()?)))
            .collect();
        // Full back-off without chance: 1, 2, 4, 8 s, each after a refusal that takes no time.
        let is_bare = pauses.windows(ATTEMPTS - 1).any(|row| {
            let bases = [1_u64, 2, 4];
            row.iter().zip(bases).all(|(pause, base)| {
                let base = Duration::from_secs(base);
                *pause >= base && *pause < base + MOMENT
            })
        });
        if is_bare {
            broken.note(format!("process {} comes back in 1, 2 and 4 s sharp", no.0));
        }
    }
}
