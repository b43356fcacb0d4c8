//! Whether the store takes writes, and why not.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use z4j_core::store::{StoreError, StoreErrorKind, StoreHealth};

/// Whether the store takes writes, and why not.
#[derive(Debug, Default)]
pub(crate) struct Health {
    known: Mutex<Known>,
    faulted: Notify,
}

#[derive(Debug, Default)]
struct Known {
    is_running: bool,
    fault: Option<StoreErrorKind>,
    /// Events that were refused are still in memory.
    do_events_wait: bool,
    warnings: Vec<String>,
    /// By who says it.
    advice: BTreeMap<&'static str, Vec<String>>,
}

impl Health {
    /// The brain began to run.
    pub(crate) fn start(&self) {
        self.lock().is_running = true;
    }

    /// The brain begins to stop.
    pub(crate) fn stop(&self) {
        self.lock().is_running = false;
    }

    /// Whether the brain runs.
    pub(crate) fn is_running(&self) -> bool {
        self.lock().is_running
    }

    /// A write failed. True when the store counted as sound before, so that the caller logs it once.
    pub(crate) fn fail(&self, error: &StoreError) -> bool {
        let before = self.lock().fault.replace(error.kind());
        self.faulted.notify_one();
        before != Some(error.kind())
    }

    /// Events were refused and wait for a store that takes them. True as in [`Self::fail`].
    pub(crate) fn hold(&self, error: &StoreError) -> bool {
        self.lock().do_events_wait = true;
        self.fail(error)
    }

    /// Events wait no more. True when the store counted as faulty before.
    pub(crate) fn release(&self) -> bool {
        let mut known = self.lock();
        known.do_events_wait = false;
        known.fault.take().is_some()
    }

    /// A write succeeded. True when the store counted as faulty before.
    ///
    /// While events wait it proves nothing: a full disk still has room for a probe in pages that are there.
    pub(crate) fn heal(&self) -> bool {
        let mut known = self.lock();
        !known.do_events_wait && known.fault.take().is_some()
    }

    /// What a probe found.
    pub(crate) fn note(&self, health: StoreHealth) {
        self.lock().warnings = health.warnings;
    }

    /// Takes in what `from` has to say to operators now, in sentences, in place of what it said before.
    pub(crate) fn advise(&self, from: &'static str, sentences: Vec<String>) {
        self.lock().advice.insert(from, sentences);
    }

    /// Whether the store counts as faulty.
    pub(crate) fn is_faulty(&self) -> bool {
        self.lock().fault.is_some()
    }

    /// Waits for the next fault.
    pub(crate) async fn faulted(&self) {
        self.faulted.notified().await;
    }

    /// Why the brain is not ready, one sentence each; empty when it is.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let known = self.lock();
        let idle = (!known.is_running).then(|| "The brain does not run.".to_owned());
        let fault = known.fault.map(|kind| sentence(kind).to_owned());
        idle.into_iter().chain(fault).collect()
    }

    /// Promises that the store keeps less well than it should, and whatever else operators should know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let known = self.lock();
        let advice = known.advice.values().flatten();
        known.warnings.iter().chain(advice).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an operator has to know of a fault.
const fn sentence(kind: StoreErrorKind) -> &'static str {
    match kind {
        StoreErrorKind::Unavailable => {
            "The database cannot be reached or is too busy; nothing is acknowledged until it answers."
        }
        StoreErrorKind::Full => {
            "The disk of the database is full; nothing is acknowledged until there is room."
        }
        StoreErrorKind::ReadOnly => {
            "The database takes no writes; nothing is acknowledged until it does."
        }
        StoreErrorKind::SchemaTooNew => "The database was made by a newer version of z4j.",
        StoreErrorKind::SchemaTooOld => {
            "The database has not been brought up to this version of z4j."
        }
        StoreErrorKind::Corrupt => "Stored data cannot be read back.",
        StoreErrorKind::Damaged => {
            "The database is damaged; nothing is acknowledged until it is restored."
        }
        _ => "The database refuses writes for a reason that only the log tells.",
    }
}

/// Whether the same write can succeed later without anything about it being changed.
pub(crate) const fn is_passing(kind: StoreErrorKind) -> bool {
    matches!(
        kind,
        StoreErrorKind::Unavailable
            | StoreErrorKind::Full
            | StoreErrorKind::ReadOnly
            | StoreErrorKind::SchemaTooNew
            | StoreErrorKind::SchemaTooOld
            | StoreErrorKind::Damaged
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_fits_does_not_heal_a_store_that_refuses_events() {
        let health = Health::default();
        health.start();
        let full = StoreError::new(StoreErrorKind::Full, "ingest");
        assert!(health.hold(&full), "news");
        assert!(!health.heal(), "events still wait");
        assert_eq!(health.reasons(), [sentence(StoreErrorKind::Full)]);
        assert!(!health.hold(&full), "said once");
        assert!(health.release());
        assert!(health.reasons().is_empty());
        assert!(health.fail(&full) && health.heal(), "no events wait");
    }
}
