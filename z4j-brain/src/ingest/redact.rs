//! The brain's own redaction, after the agent's: nothing goes to the store that did not pass here.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Value, json};
use z4j_core::limits;
use z4j_core::redact::{self, Raw, Redacted, Redactor};
use z4j_core::wire::RawJson;

/// The `data` of an event. Nothing is copied when there is nothing to hide.
pub(super) fn redact_event_data(
    redactor: &dyn Redactor,
    data: RawJson<'_>,
    frame: &Bytes,
) -> Redacted<Bytes> {
    if data.is_null() {
        return Redacted::vouch(Bytes::from_static(b"{}"));
    }
    let kept = redact::redact_json(redactor, "", Raw::new(data)).into_inner();
    if kept.len() > limits::EVENT_DATA_BYTES_MAX {
        return Redacted::vouch(Bytes::from(too_large(kept.len())));
    }
    Redacted::vouch(match kept {
        Cow::Borrowed(text) => share(frame, text),
        Cow::Owned(text) => Bytes::from(text),
    })
}

/// What stands in place of data that is too large to keep; its size is told.
fn too_large(bytes: usize) -> String {
    json!({"dropped": "too_large", "bytes": bytes}).to_string()
}

/// `text` as part of `frame` if it lies in it, else a copy.
fn share(frame: &Bytes, text: &str) -> Bytes {
    let offset = text.as_ptr().addr().checked_sub(frame.as_ptr().addr());
    match offset {
        Some(start) if start.saturating_add(text.len()) <= frame.len() => {
            frame.slice(start..start + text.len())
        }
        _ => Bytes::copy_from_slice(text.as_bytes()),
    }
}

/// The start of something that cannot be stored, for a person to look at.
pub(super) fn excerpt_of_raw(redactor: &dyn Redactor, raw: RawJson<'_>) -> Redacted<Bytes> {
    let kept = redact::redact_json(redactor, "", Raw::new(raw)).into_inner();
    Redacted::vouch(Bytes::copy_from_slice(start_of(&kept).as_bytes()))
}

/// The start of redacted data.
pub(super) fn excerpt(data: &Redacted<Bytes>) -> Redacted<Bytes> {
    let text = String::from_utf8_lossy(data.get());
    Redacted::vouch(Bytes::copy_from_slice(start_of(&text).as_bytes()))
}

fn start_of(text: &str) -> &str {
    let end = text.floor_char_boundary(limits::QUARANTINE_EXCERPT_BYTES_MAX);
    text.get(..end).unwrap_or_default()
}

/// A JSON value as text without secrets.
pub(crate) fn redact_json(redactor: &dyn Redactor, value: Value) -> String {
    redact::redact_value(redactor, "", Raw::new(value))
        .into_inner()
        .to_string()
}

/// JSON text without secrets; `None` when it is no JSON.
pub(crate) fn redact_json_text(redactor: &dyn Redactor, json: &str) -> Option<String> {
    let raw = RawJson::parse(json).ok()?;
    Some(
        redact::redact_json(redactor, "", Raw::new(raw))
            .into_inner()
            .into_owned(),
    )
}

/// Text without secrets.
pub(crate) fn redact_text(redactor: &dyn Redactor, text: &str) -> String {
    redact::redact_text(redactor, Raw::new(text))
        .into_inner()
        .into_owned()
}

/// The name of a worker, judged as the `worker` of an event is, so that both name the same worker.
pub(super) fn redact_worker(redactor: &dyn Redactor, name: &str) -> String {
    let event = json!({"worker": name});
    let kept = redact::redact_value(redactor, "", Raw::new(event)).into_inner();
    kept.get("worker")
        .and_then(Value::as_str)
        .unwrap_or(redact::MARKER)
        .to_owned()
}

/// Whether a value would be kept exactly as it is.
pub(crate) fn is_free_of_secrets(redactor: &dyn Redactor, value: &Value) -> bool {
    redact::redact_value(redactor, "", Raw::new(value.clone())).get() == value
}
