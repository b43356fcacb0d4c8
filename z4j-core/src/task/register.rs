//! A fact that keeps its best report.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The best report of one fact: the greatest `(rank, at, value)` wins, so reports may come in any order.
///
/// A report without a value never reaches a register, so it can never displace one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Register<T>(Option<Entry<T>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry<T> {
    rank: u8,
    at: Timestamp,
    value: T,
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord + Clone> Register<T> {
    /// Takes a report; true when it is the new best.
    pub(super) fn offer(&mut self, at: Timestamp, value: Option<&T>) -> bool {
        self.offer_ranked(0, at, value)
    }

    /// Takes a report of a better or worse kind: any report of a higher rank beats every one of a lower rank.
    pub(super) fn offer_ranked(&mut self, rank: u8, at: Timestamp, value: Option<&T>) -> bool {
        let Some(value) = value else { return false };
        if let Some(best) = &self.0
            && (best.rank, best.at, &best.value) >= (rank, at, value)
        {
            return false;
        }
        self.0 = Some(Entry {
            rank,
            at,
            value: value.clone(),
        });
        true
    }

    /// Takes the best of another register.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        match &other.0 {
            Some(entry) => self.offer_ranked(entry.rank, entry.at, Some(&entry.value)),
            None => false,
        }
    }

    /// The best value.
    pub(super) fn value(&self) -> Option<&T> {
        self.0.as_ref().map(|entry| &entry.value)
    }

    /// The best value, if it was reported at `floor` or later.
    pub(super) fn value_since(&self, floor: Timestamp) -> Option<&T> {
        self.0
            .as_ref()
            .filter(|entry| entry.at >= floor)
            .map(|entry| &entry.value)
    }

    /// Lets go of a report from before `floor`.
    pub(super) fn forget_before(&mut self, floor: Timestamp) -> bool {
        let outdated = self.0.as_ref().is_some_and(|entry| entry.at < floor);
        if outdated {
            self.0 = None;
        }
        outdated
    }
}
