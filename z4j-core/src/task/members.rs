//! Reads single members of an event's data. What does not fit counts as absent.

use super::Text;
use crate::limits::{TASK_ID_CHARS_MAX, TASK_TAGS_MAX};
use crate::time::Timestamp;

/// Text that is not blank. NUL, which some databases cannot hold, becomes the replacement character.
pub(super) fn text(raw: &str) -> Option<Text> {
    let inside = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        let decoded: String = serde_json::from_str(raw).ok()?;
        return kept(&decoded);
    }
    kept(inside)
}

fn kept(text: &str) -> Option<Text> {
    if text.trim().is_empty() {
        return None;
    }
    if text.contains('\0') {
        return Some(text.replace('\0', "\u{fffd}").into());
    }
    Some(text.into())
}

/// The id of another task. One that is too long names no task.
pub(super) fn task_id(raw: &str) -> Option<Text> {
    text(raw).filter(|id| id.chars().count() <= TASK_ID_CHARS_MAX)
}

/// A label, or a number as text.
pub(super) fn number_or_text(raw: &str) -> Option<Text> {
    let is_number = raw.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if is_number {
        Some(raw.into())
    } else {
        text(raw)
    }
}

/// JSON text that is not null.
pub(super) fn json(raw: &str) -> Option<Text> {
    (raw != "null").then(|| raw.into())
}

/// A number of milliseconds, rounded.
pub(super) fn millis(raw: &str) -> Option<u64> {
    let value: f64 = raw.parse().ok()?;
    let most = 1.0e15;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked on this line"
    )]
    (0.0..=most).contains(&value).then(|| value.round() as u64)
}

/// An RFC 3339 time, without zone taken as UTC, or seconds since 1970.
pub(super) fn time(raw: &str) -> Option<Timestamp> {
    if let Some(text) = text(raw) {
        return Timestamp::parse(&text, true).ok();
    }
    let micros = raw.parse::<f64>().ok()? * 1.0e6;
    let latest = 7.3e15;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked on this line"
    )]
    (0.0..=latest)
        .contains(&micros)
        .then(|| Timestamp::from_micros(micros.round() as i64))
}

/// True when it is the JSON literal.
pub(super) fn flag(raw: &str) -> bool {
    raw == "true"
}

/// The texts of an array, in order, without repeats.
pub(super) fn tags(raw: &str) -> Vec<Text> {
    let Ok(entries) = serde_json::from_str::<Vec<&serde_json::value::RawValue>>(raw) else {
        return Vec::new();
    };
    let mut tags = Vec::new();
    for tag in entries.iter().filter_map(|entry| text(entry.get())) {
        if tags.len() < TASK_TAGS_MAX && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// What a revoked event says about how.
#[derive(Default)]
pub(super) struct Revocation {
    pub(super) is_terminated: bool,
    pub(super) is_expired: bool,
    pub(super) signal: Option<Text>,
}

impl Revocation {
    /// The same in words.
    pub(super) fn reason(&self) -> Option<Text> {
        if self.is_expired {
            return Some("expired".into());
        }
        if !self.is_terminated {
            return None;
        }
        let reason = match self.signal.as_deref() {
            Some(signal) if signal.starts_with(|first: char| first.is_ascii_digit()) => {
                format!("terminated by signal {signal}")
            }
            Some(signal) => format!("terminated by {signal}"),
            None => "terminated".to_owned(),
        };
        Some(reason.into())
    }
}
