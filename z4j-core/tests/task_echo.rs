//! Several agents on one broker: what the others report late must not read as another run.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken helper fails the test that called it"
)]

use serde_json::value::RawValue;
use z4j_core::task::{EventKind, TaskEvent, TaskRecord, TaskState, Verdict, apply};
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

/// As two published agents on one broker reported it: each stamps when it looked.
fn two_agents() -> Vec<TaskEvent> {
    vec![
        event(
            EventKind::TaskReceived,
            400_000,
            r#"{"task_name":"app.ping","queue":"celery"}"#,
        ),
        event(EventKind::TaskStarted, 441_000, r#"{"worker":"w1@h"}"#),
        event(
            EventKind::TaskFailed,
            447_000,
            r#"{"worker":"w1@h","exception":"ValueError","exception_message":"no"}"#,
        ),
        event(EventKind::TaskStarted, 450_000, r#"{"worker":"w1@h"}"#),
        event(
            EventKind::TaskFailed,
            452_000,
            r#"{"worker":"w1@h","exception":"ValueError","exception_message":"no"}"#,
        ),
    ]
}

#[test]
fn a_late_copy_of_a_run_is_no_second_run() {
    let record = record(&two_agents());
    let view = record.view();
    assert_eq!((view.state, view.retry_count), (TaskState::Failure, 0));
    assert_eq!(view.received_at, Some(at(400_000)));
    assert_eq!(view.started_at, Some(at(441_000)));
    assert_eq!(view.exception, Some("ValueError"));
}

#[test]
fn a_late_copy_of_the_start_alone_does_not_reopen_the_task() {
    let mut events = two_agents();
    events.truncate(4);
    // The receipt comes last: the error must not have been let go meanwhile.
    events.rotate_left(1);
    let record = record(&events);
    let view = record.view();
    assert_eq!(view.state, TaskState::Failure);
    assert_eq!(view.exception_message, Some("no"));
    assert_eq!(view.runtime_ms, Some(6));
}

#[test]
fn a_task_that_is_received_again_runs_again() {
    let mut events = two_agents();
    events.truncate(3);
    events.push(event(EventKind::TaskReceived, 448_000, "{}"));
    events.push(event(EventKind::TaskStarted, 450_000, "{}"));
    let record = record(&events);
    assert_eq!(
        (record.state(), record.retry_count()),
        (TaskState::Started, 1)
    );
}

#[test]
fn a_start_long_after_the_end_runs_again_whatever_was_received() {
    let mut events = two_agents();
    events.truncate(3);
    events.push(event(EventKind::TaskStarted, 5_447_001, "{}"));
    assert_eq!(record(&events).state(), TaskState::Started);
}

/// As a published agent reported a task that asked twice to be tried again and ended each attempt at once.
fn two_retries() -> Vec<TaskEvent> {
    let times = [
        (EventKind::TaskReceived, 0),
        (EventKind::TaskStarted, 11_000),
        (EventKind::TaskReceived, 20_500),
        (EventKind::TaskRetried, 30_700),
        // The third attempt's, before the late stamp of the second one's start.
        (EventKind::TaskReceived, 1_015_700),
        (EventKind::TaskStarted, 1_024_900),
        (EventKind::TaskRetried, 1_028_800),
        (EventKind::TaskStarted, 2_015_800),
        (EventKind::TaskSucceeded, 2_019_500),
    ];
    let event = |(kind, micros)| event(kind, micros, r#"{"worker":"w1@h"}"#);
    times.into_iter().map(event).collect()
}

#[test]
fn a_receipt_that_overtook_a_late_start_belongs_to_the_attempt_after_it() {
    let record = record(&two_retries());
    let view = record.view();
    assert_eq!((view.state, view.retry_count), (TaskState::Success, 2));
    assert_eq!(view.received_at, Some(at(1_015_700)));
    assert_eq!(view.started_at, Some(at(2_015_800)));
}

#[test]
fn the_only_receipt_of_an_attempt_is_not_given_to_the_one_after_it() {
    let mut events = two_retries();
    events.remove(2);
    assert_eq!(record(&events).view().received_at, None);
}
