//! Arithmetic of declared loss: JSON objects of counters, cumulative for each source, which is a buffer or a runtime of one.

use serde_json::{Map, Value};

/// The larger of each counter: a counter never goes back, so an older report changes nothing.
#[must_use]
pub fn latest_loss(known: &str, reported: &str) -> String {
    combine(&read(known), &read(reported), &|a, b| a.max(b))
}

/// The sum of each counter over many sources; `None` when nothing was declared.
pub fn total_loss<'a>(counters: impl IntoIterator<Item = &'a str>) -> Option<String> {
    counters
        .into_iter()
        .map(read)
        .reduce(|sum, next| read(&combine(&sum, &next, &|a, b| a.saturating_add(b))))
        .map(|sum| Value::Object(sum).to_string())
}

/// What is no object counts as nothing: the counters come from outside.
fn read(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

fn combine(
    left: &Map<String, Value>,
    right: &Map<String, Value>,
    join: &dyn Fn(u64, u64) -> u64,
) -> String {
    Value::Object(combine_maps(left, right, join)).to_string()
}

fn combine_maps(
    left: &Map<String, Value>,
    right: &Map<String, Value>,
    join: &dyn Fn(u64, u64) -> u64,
) -> Map<String, Value> {
    let mut sum = left.clone();
    for (name, value) in right {
        let joined = match (sum.get(name), value) {
            (Some(Value::Object(inner)), Value::Object(other)) => {
                Value::Object(combine_maps(inner, other, join))
            }
            (None, Value::Object(other)) => Value::Object(other.clone()),
            (known, value) => {
                let known = known.and_then(Value::as_u64).unwrap_or(0);
                Value::from(join(known, value.as_u64().unwrap_or(0)))
            }
        };
        sum.insert(name.clone(), joined);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_never_go_back_within_a_source_and_add_up_over_sources() {
        let first = r#"{"event_records":3,"adapter_events":{"celery":2}}"#;
        let older = r#"{"event_records":1,"adapter_events":{"celery":5,"rq":1}}"#;
        let latest = latest_loss(first, older);
        assert_eq!(
            read(&latest),
            read(r#"{"event_records":3,"adapter_events":{"celery":5,"rq":1}}"#)
        );
        let total = total_loss([latest.as_str(), first]).unwrap();
        assert_eq!(
            read(&total),
            read(r#"{"event_records":6,"adapter_events":{"celery":7,"rq":1}}"#)
        );
        assert_eq!(total_loss([]), None);
        assert_eq!(total_loss(["not json"]), Some("{}".to_owned()));
    }
}
