//! Frames that a brain must refuse, made from frames that it would take.

use serde_json::Value;

/// The frame with another first digit in its MAC. A frame without MAC comes back as it was.
#[must_use]
pub fn mac(frame: &[u8]) -> Vec<u8> {
    member(frame, "/hmac", |mac| {
        if let Value::String(text) = mac {
            let first = if text.starts_with('0') { "1" } else { "0" };
            text.replace_range(..text.len().min(1), first);
        }
    })
}

/// The frame with one member changed after it was signed; `pointer` is a JSON pointer such as `/payload/events/0/kind`.
/// A frame without that member, or one that is not JSON, comes back as it was.
#[must_use]
pub fn member(frame: &[u8], pointer: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(frame) else {
        return frame.to_vec();
    };
    let Some(found) = value.pointer_mut(pointer) else {
        return frame.to_vec();
    };
    change(found);
    value.to_string().into_bytes()
}

/// A payload for an event_batch that makes a frame of more than `bytes` bytes.
#[must_use]
pub fn oversize_payload(bytes: usize) -> Value {
    serde_json::json!({"events": [{"id": "", "kind": "unknown", "data": {"filler": "x".repeat(bytes)}}]})
}
