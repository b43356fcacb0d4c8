//! From what an engine observed to what a frame may hold: redacted, canonical, bounded.

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;
use z4j_core::engine::EngineEvent;
use z4j_core::env::Env;
use z4j_core::limits;
use z4j_core::redact::{MARKER, Raw, Redacted, Redactor, redact_text, redact_value};
use z4j_core::wire;

use crate::buffer::EventJson;

/// Redacts with the application's redactor. A redactor that panics costs the payload, never the host.
#[derive(Clone, Debug)]
pub(crate) struct Scrubber {
    redactor: Arc<dyn Redactor>,
}

impl Scrubber {
    pub(crate) const fn new(redactor: Arc<dyn Redactor>) -> Self {
        Self { redactor }
    }

    /// Redacts an object that belongs to the task called `task_name`; `None` when nothing of it may be kept.
    pub(crate) fn object(
        &self,
        task_name: &str,
        raw: Map<String, Value>,
    ) -> Option<Map<String, Value>> {
        match redact_value(&*self.redactor, task_name, Raw::new(Value::Object(raw))).into_inner() {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Redacts one text.
    pub(crate) fn text(&self, raw: &str) -> String {
        redact_text(&*self.redactor, Raw::new(raw))
            .into_inner()
            .into_owned()
    }

    /// Redacts the result of a command.
    pub(crate) fn result(&self, raw: Map<String, Value>) -> Map<String, Value> {
        self.object("", raw)
            .unwrap_or_else(|| Map::from_iter([("redacted".to_owned(), Value::from(MARKER))]))
    }
}

/// Makes an event for the buffer; `None` when it cannot be sent at all.
pub(crate) fn event_json(
    env: &Env,
    scrubber: &Scrubber,
    engine: &str,
    event: EngineEvent,
) -> Option<EventJson> {
    let task_name = event
        .data
        .get("task_name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let data = match scrubber.object(&task_name, event.data) {
        None => without_payload(scrubber, &task_name, "the redactor failed"),
        Some(data) => bounded(scrubber, &task_name, data),
    };
    let value = serde_json::json!({
        "id": Uuid::from_u128(env.next_id()).to_string(),
        "kind": event.kind.as_str(),
        "engine": engine,
        "task_id": event.task_id.chars().take(limits::TASK_ID_CHARS_MAX).collect::<String>(),
        "occurred_at": event.occurred_at.to_string(),
        "data": data,
    });
    // The canonical form is what will be signed, so the size of a frame is known before it is made.
    let canonical = wire::canonical_value(value.to_string().as_bytes()).ok()?;
    let text = String::from_utf8(canonical).ok()?;
    Some(Redacted::vouch(text.into_boxed_str()))
}

fn bounded(scrubber: &Scrubber, task_name: &str, data: Map<String, Value>) -> Map<String, Value> {
    let bytes = serde_json::to_string(&data).map_or(usize::MAX, |text| text.len());
    if bytes <= limits::EVENT_DATA_BYTES_MAX {
        data
    } else {
        without_payload(scrubber, task_name, "larger than an event may be")
    }
}

/// What is left of the data of an event that must not be kept as it is.
fn without_payload(scrubber: &Scrubber, task_name: &str, reason: &str) -> Map<String, Value> {
    Map::from_iter([
        (
            "task_name".to_owned(),
            Value::from(scrubber.text(task_name)),
        ),
        ("payload_dropped".to_owned(), Value::from(reason)),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use z4j_core::redact::{DefaultRedactor, FieldContext, FieldDecision, FieldValue, PolicyId};
    use z4j_core::task::EventKind;
    use z4j_core::time::Timestamp;

    use super::*;

    fn event(data: Value) -> EngineEvent {
        EngineEvent {
            kind: EventKind::TaskReceived,
            task_id: "t-1".to_owned(),
            occurred_at: Timestamp::from_micros(1_795_422_000_905_184),
            data: data.as_object().cloned().unwrap(),
        }
    }

    fn captured(redactor: impl Redactor, data: Value) -> Value {
        let scrubber = Scrubber::new(Arc::new(redactor));
        let json = event_json(&Env::system(), &scrubber, "demo", event(data)).unwrap();
        serde_json::from_str(json.get()).unwrap()
    }

    #[test]
    fn secrets_are_gone_before_an_event_reaches_the_buffer() {
        let data = json!({"task_name": "a.b", "kwargs": {"password": "hunter2", "n": 1}});
        let event = captured(DefaultRedactor::strict(), data);
        assert_eq!(
            event["data"]["kwargs"],
            json!({"password": "[REDACTED]", "n": 1})
        );
        assert_eq!(event["kind"], "task.received");
        assert_eq!(event["occurred_at"], "2026-11-23T08:20:00.905184Z");
    }

    #[test]
    fn a_payload_above_the_limit_is_dropped_and_says_so() {
        let many: Vec<String> = (0..100).map(|_| "word ".repeat(1_000)).collect();
        let event = captured(
            DefaultRedactor::strict(),
            json!({"task_name": "a.b", "args": many}),
        );
        assert_eq!(
            event["data"],
            json!({"task_name": "a.b", "payload_dropped": "larger than an event may be"})
        );
    }

    #[derive(Debug)]
    struct Panics;

    impl Redactor for Panics {
        fn policy(&self) -> PolicyId {
            PolicyId::new("panics")
        }

        fn decide(&self, _: &FieldContext<'_>, _: &FieldValue<'_>) -> FieldDecision {
            panic!("no")
        }

        fn string_bytes_max(&self) -> usize {
            1
        }

        fn may_touch(&self, _: &str) -> bool {
            true
        }
    }

    #[test]
    fn a_redactor_that_panics_costs_the_payload_and_nothing_else() {
        let event = captured(Panics, json!({"task_name": "a.b", "args": ["secret"]}));
        assert_eq!(event["task_id"], "t-1");
        assert_eq!(event["data"]["task_name"], "[REDACTED]");
        assert!(!event.to_string().contains("secret"));
    }
}
