//! Points in time: microseconds since 1970 in UTC, the one precision used everywhere.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A point in time in microseconds since 1970-01-01T00:00:00Z.
///
/// Written and read as RFC 3339 in UTC with six decimals and `Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is not a time with a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time with an offset")]
pub struct ParseTimestampError;

impl Timestamp {
    /// The start of the epoch; also the earliest time that is kept as sent.
    pub const EPOCH: Self = Self(0);
    /// 2200-01-01T00:00:00Z, the latest time that is kept as sent (`reliability.md` D4).
    pub const LATEST: Self = Self(7_258_118_400 * MICROS_PER_SECOND);

    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This time plus `duration`, at most the largest representable time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros_of(duration)))
    }

    /// This time minus `duration`, at least the smallest representable time.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros_of(duration)))
    }

    /// How long after `earlier` this is; zero when it is not after.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The distance to `other`, whichever comes first.
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }

    /// The start of the minute that holds this time.
    #[must_use]
    pub const fn floor_minute(self) -> Self {
        Self(self.0 - self.0.rem_euclid(60 * MICROS_PER_SECOND))
    }

    /// Reads RFC 3339 text. `naive_is_utc` takes a time without a zone as UTC, as events of some engines come.
    ///
    /// # Errors
    /// [`ParseTimestampError`] when the text is no time, or has no zone and `naive_is_utc` is false.
    pub fn parse(text: &str, naive_is_utc: bool) -> Result<Self, ParseTimestampError> {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(at.as_microsecond()));
        }
        if !naive_is_utc {
            return Err(ParseTimestampError);
        }
        let civil: jiff::civil::DateTime = text.parse().map_err(|_| ParseTimestampError)?;
        let zoned = civil
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map_err(|_| ParseTimestampError)?;
        Ok(Self(zoned.timestamp().as_microsecond()))
    }
}

fn micros_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(at) => write!(f, "{at:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, false)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_micros_agree() {
        let at: Timestamp = "2026-11-23T08:20:00.905184Z".parse().unwrap();
        assert_eq!(at.as_micros(), 1_795_422_000_905_184);
        assert_eq!(at.to_string(), "2026-11-23T08:20:00.905184Z");
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn an_offset_is_converted_and_a_missing_zone_is_refused_unless_asked_for() {
        let at: Timestamp = "2026-11-23T10:20:00+02:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-23T08:20:00.000000Z");
        assert!("2026-11-23T10:20:00".parse::<Timestamp>().is_err());
        let naive = Timestamp::parse("2026-11-23T08:20:00.5", true).unwrap();
        assert_eq!(naive.to_string(), "2026-11-23T08:20:00.500000Z");
    }

    #[test]
    fn the_latest_kept_time_is_the_start_of_2200() {
        assert_eq!(Timestamp::LATEST.to_string(), "2200-01-01T00:00:00.000000Z");
    }
}
