//! A fact that keeps its best report.

use serde::{Deserialize, Serialize};

use super::record::Shift;
use crate::time::Timestamp;

/// The best report of one fact: the greatest `(rank, at, value)` wins, so reports may come in any order.
///
/// The rank is a function of the value alone; most facts have none. A report without a value never reaches a register, so
/// it can never displace one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Register<T>(Option<(Timestamp, T)>);

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord + Clone> Register<T> {
    /// Takes a report; true when it is the new best.
    pub(super) fn offer(&mut self, at: Timestamp, value: Option<&T>) -> bool {
        self.offer_ranked(at, value, |_| 0)
    }

    /// Takes a report; any value of a higher rank beats every one of a lower rank.
    pub(super) fn offer_ranked(
        &mut self,
        at: Timestamp,
        value: Option<&T>,
        rank: fn(&T) -> u8,
    ) -> bool {
        let Some(value) = value else { return false };
        if let Some((best_at, best)) = &self.0
            && (rank(best), *best_at, best) >= (rank(value), at, value)
        {
            return false;
        }
        self.0 = Some((at, value.clone()));
        true
    }

    /// Takes the best of another register.
    pub(super) fn join(&mut self, other: &Self) {
        self.join_ranked(other, |_| 0);
    }

    /// Takes the best of another register of ranked values.
    pub(super) fn join_ranked(&mut self, other: &Self, rank: fn(&T) -> u8) {
        if let Some((at, value)) = &other.0 {
            self.offer_ranked(*at, Some(value), rank);
        }
    }

    /// The best value.
    pub(super) fn value(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }

    /// The best value, if it was reported at `floor` or later.
    pub(super) fn value_since(&self, floor: Timestamp) -> Option<&T> {
        self.0
            .as_ref()
            .filter(|(at, _)| *at >= floor)
            .map(|(_, value)| value)
    }

    /// Puts the time of the report elsewhere on the time line.
    pub(super) fn shift(&mut self, shift: Shift, base: Timestamp) {
        if let Some((at, _)) = &mut self.0 {
            *at = shift(*at, base);
        }
    }
}
