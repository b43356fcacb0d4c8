//! The stored form of a record, and the page that says what the machine does.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken helper fails the test that called it"
)]

use serde_json::value::RawValue;
use z4j_core::id::AgentId;
use z4j_core::task::{EventKind, TaskEvent, TaskFacts, TaskRecord, Verdict, apply};
use z4j_core::time::Timestamp;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_795_422_000_000_000 + micros)
}

fn event(kind: EventKind, micros: i64, data: &str) -> TaskEvent {
    let data = RawValue::from_string(data.to_owned()).unwrap();
    TaskEvent::from_data(kind, at(micros), None, &data)
}

fn record(events: &[TaskEvent]) -> TaskRecord {
    let mut record: Option<TaskRecord> = None;
    for event in events {
        if let Verdict::Advance(next) = apply(record.as_ref(), event) {
            record = Some(next);
        }
    }
    record.unwrap()
}

/// A Celery task that retries itself: the second receipt is stamped before the retry.
fn celery_retry() -> Vec<TaskEvent> {
    vec![
        event(
            EventKind::TaskReceived,
            508_112,
            r#"{"task_name":"app.flaky","queue":"celery","worker":null,"args":[],"kwargs":{},"root_task_id":"r"}"#,
        ),
        event(
            EventKind::TaskStarted,
            519_960,
            r#"{"task_name":"<unknown:c5fea88d>","queue":null,"worker":"w1@h","args":null,"kwargs":null}"#,
        ),
        event(
            EventKind::TaskReceived,
            523_735,
            r#"{"task_name":"app.flaky","queue":"celery","args":[],"kwargs":{}}"#,
        ),
        event(
            EventKind::TaskRetried,
            530_501,
            r#"{"task_name":"<unknown:c5fea88d>","worker":"w1@h","reason":"RuntimeError('try again')"}"#,
        ),
        event(
            EventKind::TaskStarted,
            1_018_618,
            r#"{"task_name":"<unknown:c5fea88d>","worker":"w1@h"}"#,
        ),
        event(
            EventKind::TaskSucceeded,
            1_021_925,
            r#"{"task_name":"<unknown:c5fea88d>","worker":"w1@h","result":"'ok'","runtime_ms":4}"#,
        ),
    ]
}

#[test]
fn a_record_survives_its_stored_form() {
    let facts = TaskFacts {
        eta: Some(at(9)),
        retries: Some(2),
        tags: vec!["a".into(), "b".into()],
        priority: Some("high".into()),
        ..TaskFacts::default()
    };
    let mut events = celery_retry();
    events.push(
        TaskEvent::new(EventKind::TaskSent, at(-5))
            .with_facts(facts)
            .with_agent(AgentId::from_u128(7)),
    );
    let record = record(&events);
    let bytes = record.encode();
    assert_eq!(TaskRecord::decode(&bytes).unwrap(), record);
    assert!(bytes.len() < 300, "{} bytes", bytes.len());
    assert_eq!(
        (record.view().tags.len(), record.view().eta),
        (2, Some(at(9)))
    );
}

#[test]
fn a_damaged_or_newer_stored_form_is_refused() {
    let bytes = record(&celery_retry()).encode();
    assert!(TaskRecord::decode(&[]).is_err());
    assert!(TaskRecord::decode(&bytes[..bytes.len() - 1]).is_err());
    let mut newer = bytes;
    newer[0] = 99;
    assert!(
        TaskRecord::decode(&newer)
            .unwrap_err()
            .to_string()
            .contains("99")
    );
}

#[test]
fn the_page_about_task_states_is_current() {
    let page = include_str!("../../docs/task-states.md");
    assert_eq!(page, z4j_core::task::document(), "run `cargo xtask gen`");
}
