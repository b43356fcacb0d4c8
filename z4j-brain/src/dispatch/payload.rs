//! A command row as the payload of a command frame (protocol §4.7).

use bytes::Bytes;
use serde_json::{Map, Value, json};
use z4j_core::limits;
use z4j_core::store::CommandRow;
use z4j_core::time::Timestamp;

/// The engine that a command names, if it names one.
pub(super) fn engine_of(command: &CommandRow) -> Option<String> {
    let payload: Map<String, Value> = serde_json::from_str(&command.payload).ok()?;
    Some(payload.get("engine")?.as_str()?.to_owned())
}

/// The payload of the frame; the real task id is in `parameters`, the target only names it (protocol §12.10).
pub(super) fn of(command: &CommandRow, now: Timestamp) -> Bytes {
    let parameters: Map<String, Value> = serde_json::from_str(&command.payload).unwrap_or_default();
    let mut target = Map::new();
    target.insert("type".to_owned(), json!(command.target_type));
    target.insert("id".to_owned(), json!(command.target_id));
    if let Some(engine) = parameters.get("engine") {
        target.insert("engine".to_owned(), engine.clone());
    }
    let seconds = command.timeout_at.since(now).as_secs();
    let timeout = seconds.clamp(1, u64::from(limits::COMMAND_TIMEOUT_SECONDS_MAX));
    let payload = json!({
        "action": command.action,
        "target": target,
        "parameters": parameters,
        "timeout_seconds": timeout,
        "issued_by": command.issued_by.map(|id| id.to_string()),
        "delivery_claim_token": null,
    });
    Bytes::from(payload.to_string())
}
