//! The days that a search looks into, one after the other.

use std::ops::Range;

use z4j_core::id::TaskKey;
use z4j_core::store::TaskPlace;

use crate::day::{Day, day_of, day_of_micros, start_micros};

use super::walk::Walk;

/// Each range is so many times as wide as the one before.
const GROWTH: Day = 4;

/// Ranges of days in the order of a list, ever wider: most searches end with the first.
#[derive(Clone, Debug)]
pub(super) struct Days {
    left: Range<Day>,
    is_descending: bool,
    width: Day,
}

impl Days {
    /// From the position of `walk` on, within the days that its project's tasks are of; `None` when its order is not that of
    /// changes.
    pub(super) fn after(walk: &Walk<'_>, span: &Range<Day>) -> Option<Self> {
        if !walk.part.is_by_change() {
            return None;
        }
        let mut left = span.clone();
        if let Some(since) = walk.filter.since {
            left.start = left.start.max(day_of(since));
        }
        if let Some(until) = walk.filter.until {
            left.end = left.end.min(day_of(until) + 1);
        }
        let is_descending = walk.part.is_descending();
        if let Some(at) = walk.after.as_ref().and_then(|after| after.value) {
            if is_descending {
                left.end = left.end.min(day_of_micros(at) + 1);
            } else {
                left.start = left.start.max(day_of_micros(at));
            }
        }
        Some(Self::of(left, is_descending))
    }

    const fn of(left: Range<Day>, is_descending: bool) -> Self {
        Self {
            left,
            is_descending,
            width: 1,
        }
    }

    pub(super) fn next(&mut self) -> Option<Range<Day>> {
        if self.left.is_empty() {
            return None;
        }
        let width = self.width.min(self.left.end - self.left.start);
        self.width = self.width.saturating_mul(GROWTH);
        if self.is_descending {
            let start = self.left.end - width;
            let range = start..self.left.end;
            self.left.end = start;
            Some(range)
        } else {
            let end = self.left.start + width;
            let range = self.left.start..end;
            self.left.start = end;
            Some(range)
        }
    }

    /// Gives `range`, the last one, again: day by day.
    pub(super) fn narrow(&mut self, range: &Range<Day>) {
        self.width = 1;
        if self.is_descending {
            self.left.end = range.end;
        } else {
            self.left.start = range.start;
        }
    }

    /// The position behind all tasks of `range`.
    pub(super) fn behind(&self, range: &Range<Day>) -> TaskPlace {
        let day = if self.is_descending {
            range.start
        } else {
            range.end
        };
        TaskPlace {
            value: Some(start_micros(day)),
            changed_at: None,
            key: TaskKey::new("", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut days: Days) -> Vec<Range<Day>> {
        std::iter::from_fn(|| days.next()).collect()
    }

    #[test]
    fn every_day_comes_once_in_the_order_of_the_list() {
        assert_eq!(all(Days::of(1..9, false)), [1..2, 2..6, 6..9]);
        assert_eq!(all(Days::of(1..9, true)), [8..9, 4..8, 1..4]);
        assert_eq!(all(Days::of(5..5, true)), []);
    }

    #[test]
    fn a_range_that_was_too_full_comes_again_day_by_day() {
        let mut days = Days::of(0..10, true);
        let _ = days.next();
        let wide = days.next().unwrap();
        days.narrow(&wide);
        assert_eq!(all(days), [8..9, 4..8, 0..4]);
    }

    #[test]
    fn what_is_behind_a_range_begins_where_it_ends() {
        let behind = |is_descending| Days::of(0..9, is_descending).behind(&(3..5)).value;
        assert_eq!(behind(true), Some(start_micros(3)));
        assert_eq!(behind(false), Some(start_micros(5)));
    }
}
