//! Days of the calendar in UTC, by which tables are parted.

use z4j_core::time::Timestamp;

const DAY_MICROS: i64 = 86_400_000_000;

/// A day since 1970.
pub(crate) type Day = i64;

pub(crate) const fn day_of(at: Timestamp) -> Day {
    day_of_micros(at.as_micros())
}

pub(crate) const fn day_of_micros(at: i64) -> Day {
    at.div_euclid(DAY_MICROS)
}

/// When a day begins, in microseconds since 1970. What is out of reach is cut to what is not.
pub(crate) const fn start_micros(day: Day) -> i64 {
    day.saturating_mul(DAY_MICROS)
}

/// `2026-11-23`.
pub(crate) fn date(day: Day) -> String {
    let text = Timestamp::from_micros(start_micros(day)).to_string();
    text.get(..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_named_by_its_date_and_ends_with_its_last_microsecond() {
        let at: Timestamp = "2026-11-23T23:59:59.999999Z".parse().unwrap();
        assert_eq!(date(day_of(at)), "2026-11-23");
        assert_eq!(day_of_micros(at.as_micros() + 1), day_of(at) + 1);
        assert_eq!(start_micros(day_of(at) + 1), at.as_micros() + 1);
    }
}
