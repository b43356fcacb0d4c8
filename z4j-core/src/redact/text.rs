//! Shortening, error excerpts and connection URLs.

use std::borrow::Cow;

use super::{Raw, Redacted, Redactor, redact_text};
use crate::limits::ERROR_EXCERPT_CHARS_MAX;

/// The part of `text` that fits `bytes_max`; a character cut in two becomes U+FFFD.
pub(super) fn kept_part(text: &str, bytes_max: usize) -> Cow<'_, str> {
    match text.as_bytes().get(..bytes_max) {
        Some(head) if text.len() > bytes_max => String::from_utf8_lossy(head),
        _ => Cow::Borrowed(text),
    }
}

/// Cuts text to `bytes_max` bytes and says how much is gone. Text that was cut to that size before stays as it is.
pub(super) fn cut(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max || is_cut(text, bytes_max) {
        return Cow::Borrowed(text);
    }
    let head = kept_part(text, bytes_max);
    let gone = text.len() - bytes_max;
    Cow::Owned(format!("{head}[...{gone} more bytes truncated]"))
}

fn is_cut(text: &str, bytes_max: usize) -> bool {
    let note = text
        .strip_suffix(" more bytes truncated]")
        .and_then(|text| text.rsplit_once("[..."));
    // A character cut in two became U+FFFD, which is up to two bytes longer than what was left of it.
    note.is_some_and(|(head, count)| {
        head.len() <= bytes_max.saturating_add(2)
            && count.len() <= 20
            && count.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The end of an error text, short enough for a list (wire §9).
#[must_use]
pub fn error_excerpt(redactor: &dyn Redactor, text: Raw<&str>) -> Redacted<String> {
    let trimmed = text.into_exposed().trim();
    let skip = trimmed
        .chars()
        .count()
        .saturating_sub(ERROR_EXCERPT_CHARS_MAX);
    let tail: String = trimmed.chars().skip(skip).collect();
    let kept = redact_text(redactor, Raw::new(&tail)).into_inner();
    Redacted::vouch(kept.chars().take(ERROR_EXCERPT_CHARS_MAX).collect())
}

const UNPARSEABLE: &str = "<unparseable url>";

/// A connection URL for a log, its password replaced by `***`. Text that is no URL stays as it is.
#[must_use]
pub fn mask_url_password(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Cow::Borrowed(url);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    if !has_sound_port(host) {
        return Cow::Borrowed(UNPARSEABLE);
    }
    match user.and_then(|user| user.split_once(':')) {
        Some((name, _)) => Cow::Owned(format!("{scheme}://{name}:***@{host}{path}")),
        None => Cow::Borrowed(url),
    }
}

fn has_sound_port(host: &str) -> bool {
    let after = match host.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((_, after)) => after,
            None => return false,
        },
        None => host.find(':').map_or("", |at| host.split_at(at).1),
    };
    match after.strip_prefix(':') {
        Some(port) => port.is_empty() || port.parse::<u16>().is_ok(),
        None => after.is_empty(),
    }
}
