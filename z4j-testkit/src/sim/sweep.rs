//! Many seeds, on as many threads as there are cores.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Outcome, Situation, World};

/// What came of many runs.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Sweep {
    /// Runs.
    pub runs: u64,
    /// Virtual time of all of them.
    pub lasted: Duration,
    /// Runs that broke a promise, by seed.
    pub broken: Vec<Outcome>,
    /// The situations that were met, and in how many runs.
    pub met: BTreeMap<Situation, u64>,
}

impl Sweep {
    fn add(&mut self, outcome: Outcome) {
        self.runs += 1;
        self.lasted += outcome.lasted();
        for situation in outcome.met().keys() {
            *self.met.entry(*situation).or_default() += 1;
        }
        if !outcome.violations().is_empty() {
            self.broken.push(outcome);
        }
    }

    /// The situations that fewer than one run in `runs` met, and how many did.
    #[must_use]
    pub fn rarely_met(&self, runs: u64) -> Vec<(Situation, u64)> {
        let times = |situation: &Situation| self.met.get(situation).copied().unwrap_or(0);
        let all = Situation::ALL.iter();
        all.map(|situation| (*situation, times(situation)))
            .filter(|(_, met)| met.saturating_mul(runs) < self.runs)
            .collect()
    }
}

/// Runs the worlds of `first`, `first + 1` and so on, on `threads` threads, until `goes_on` says no after a run.
pub fn sweep(
    first: u64,
    threads: usize,
    world: impl Fn(u64) -> World + Sync,
    goes_on: impl Fn(&Sweep) -> bool + Sync,
) -> Sweep {
    let next = AtomicU64::new(first);
    let sum = Mutex::new(Sweep::default());
    let work = || {
        loop {
            let seed = {
                let sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                if !goes_on(&sum) {
                    return;
                }
                next.fetch_add(1, Ordering::Relaxed)
            };
            let outcome = world(seed).run();
            sum.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(outcome);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.broken.sort_by_key(Outcome::seed);
    sum
}
