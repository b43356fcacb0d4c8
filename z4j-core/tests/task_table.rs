//! What the task machine makes of the histories that engines really produce.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken helper fails the test that called it"
)]

use serde_json::value::RawValue;
use z4j_core::id::AgentId;
use z4j_core::task::{
    AbsorbReason, EventKind, RefuseReason, TaskEvent, TaskRecord, TaskState, Transition, Verdict,
    apply, transition,
};
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

fn states(events: &[TaskEvent]) -> Vec<TaskState> {
    (1..=events.len())
        .map(|n| record(&events[..n]).state())
        .collect()
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
fn a_celery_retry_goes_through_retry_and_ends_in_success() {
    use TaskState::{Received, Retry, Started, Success};
    let events = celery_retry();
    assert_eq!(
        states(&events),
        [Received, Started, Started, Retry, Started, Success]
    );

    let retrying = record(&events[..4]);
    let view = retrying.view();
    assert_eq!(view.reason, Some("RuntimeError('try again')"));
    assert_eq!(view.retry_count, 1);
    assert_eq!(
        (view.received_at, view.started_at, view.finished_at),
        (Some(at(508_112)), Some(at(519_960)), None)
    );

    let done = record(&events);
    let view = done.view();
    assert_eq!(
        (view.name, view.queue, view.worker),
        (Some("app.flaky"), Some("celery"), Some("w1@h"))
    );
    assert_eq!(
        (view.args, view.kwargs, view.result),
        (Some("[]"), Some("{}"), Some(r#""'ok'""#))
    );
    assert_eq!((view.retry_count, view.reason), (1, None));
    assert_eq!((view.runtime_ms, view.wait_ms), (Some(4), Some(494)));
    assert_eq!(
        (view.received_at, view.started_at),
        (Some(at(523_735)), Some(at(1_018_618)))
    );
    assert_eq!(
        (view.finished_at, view.state_at, view.first_seen),
        (Some(at(1_021_925)), at(1_021_925), at(508_112))
    );
}

/// An RQ job that fails, is put back under the same id, and succeeds.
fn rq_requeue() -> Vec<TaskEvent> {
    let base = r#"{"task_name":"jobs.boom","queue":"default","description":"jobs.boom(2)","worker":"rqw1""#;
    let failed = format!(
        r#"{base},"exception":"Traceback (most recent call last):\n  File \"x\"\nbuiltins.ValueError: no: 2\n"}}"#
    );
    vec![
        event(EventKind::TaskStarted, 1_000_000, &format!("{base}}}")),
        event(EventKind::TaskFailed, 1_040_000, &failed),
        event(EventKind::TaskStarted, 3_000_000, &format!("{base}}}")),
        event(EventKind::TaskSucceeded, 3_250_000, &format!("{base}}}")),
    ]
}

#[test]
fn an_rq_requeue_reopens_the_job_and_forgets_the_old_error() {
    use TaskState::{Failure, Started, Success};
    let events = rq_requeue();
    assert_eq!(states(&events), [Started, Failure, Started, Success]);

    let failed = record(&events[..2]);
    let view = failed.view();
    assert_eq!(
        (view.exception, view.exception_message),
        (Some("ValueError"), Some("no: 2"))
    );
    assert!(view.traceback.unwrap().starts_with("Traceback"));
    assert_eq!((view.runtime_ms, view.retry_count), (Some(40), 0));

    let rerun = record(&events[..3]);
    let view = rerun.view();
    assert_eq!(
        (
            view.exception,
            view.traceback,
            view.finished_at,
            view.runtime_ms
        ),
        (None, None, None, None)
    );
    assert_eq!(
        (view.started_at, view.retry_count),
        (Some(at(3_000_000)), 1)
    );

    let done = record(&events);
    assert_eq!(
        (
            done.view().runtime_ms,
            done.retry_count(),
            done.view().exception
        ),
        (Some(250), 1, None)
    );
}

#[test]
fn a_second_failure_without_words_does_not_show_the_words_of_the_first() {
    let mut events = rq_requeue();
    events[3] = event(EventKind::TaskFailed, 3_250_000, "{}");
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let shuffled: Vec<_> = order.iter().map(|index| events[*index].clone()).collect();
        let record = record(&shuffled);
        let view = record.view();
        assert_eq!(
            (view.state, view.exception, view.traceback),
            (TaskState::Failure, None, None)
        );
    }
}

#[test]
fn an_end_beats_what_is_not_an_end_until_a_later_start() {
    let end = event(EventKind::TaskFailed, 10, "{}");
    for kind in [
        EventKind::TaskReceived,
        EventKind::TaskRetried,
        EventKind::TaskSent,
    ] {
        assert_eq!(
            record(&[end.clone(), event(kind, 20, "{}")]).state(),
            TaskState::Failure
        );
    }
    assert_eq!(
        record(&[end.clone(), event(EventKind::TaskStarted, 10, "{}")]).state(),
        TaskState::Failure
    );
    assert_eq!(
        record(&[end, event(EventKind::TaskStarted, 11, "{}")]).state(),
        TaskState::Started
    );
}

#[test]
fn ends_of_one_microsecond_have_a_fixed_order() {
    use EventKind::{TaskFailed, TaskRejected, TaskRevoked, TaskSucceeded};
    let ranked = [TaskRejected, TaskRevoked, TaskFailed, TaskSucceeded];
    let expected = [
        TaskState::Rejected,
        TaskState::Revoked,
        TaskState::Failure,
        TaskState::Success,
    ];
    for strong in 0..ranked.len() {
        for weak in 0..strong {
            let (a, b) = (
                event(ranked[weak].clone(), 5, "{}"),
                event(ranked[strong].clone(), 5, "{}"),
            );
            assert_eq!(record(&[a.clone(), b.clone()]).state(), expected[strong]);
            assert_eq!(record(&[b, a]).state(), expected[strong]);
        }
    }
}

#[test]
fn a_revoked_task_says_how_and_keeps_its_name() {
    let events = [
        event(
            EventKind::TaskReceived,
            1,
            r#"{"task_name":"app.slow","args":[60]}"#,
        ),
        event(EventKind::TaskStarted, 2, "{}"),
        event(
            EventKind::TaskRevoked,
            3,
            r#"{"task_name":"app.slow","terminated":true,"signum":15,"expired":false}"#,
        ),
        event(
            EventKind::TaskRevoked,
            4,
            r#"{"task_name":"<unknown:2d>","worker":"w","terminated":true,"signum":15}"#,
        ),
    ];
    let record = record(&events);
    let view = record.view();
    assert_eq!((view.state, view.state_at), (TaskState::Revoked, at(4)));
    assert_eq!(
        (view.name, view.worker, view.reason),
        (Some("app.slow"), Some("w"), Some("terminated by signal 15"))
    );
    assert_eq!((view.retry_count, view.exception), (0, None));
    let expired = event(
        EventKind::TaskRevoked,
        1,
        r#"{"expired":true,"terminated":false}"#,
    );
    assert_eq!(expired.facts.reason.as_deref(), Some("expired"));
}

#[test]
fn an_end_without_a_start_has_no_runtime() {
    let events = [
        event(EventKind::TaskReceived, 1, "{}"),
        event(EventKind::TaskRevoked, 9_000, "{}"),
    ];
    let record = record(&events);
    let view = record.view();
    assert_eq!(
        (view.received_at, view.started_at, view.runtime_ms),
        (Some(at(1)), None, None)
    );
}

#[test]
fn a_rerun_does_not_show_the_receipt_of_the_first_run() {
    let events = [
        event(EventKind::TaskReceived, 0, "{}"),
        event(EventKind::TaskStarted, 1_000, "{}"),
        event(EventKind::TaskFailed, 2_000, "{}"),
        event(EventKind::TaskStarted, 9_000_000, "{}"),
    ];
    let record = record(&events);
    let view = record.view();
    assert_eq!(
        (view.received_at, view.wait_ms, view.started_at),
        (None, None, Some(at(9_000_000)))
    );
}

#[test]
fn a_redelivered_task_shows_its_second_delivery() {
    let events = [
        event(EventKind::TaskReceived, 0, "{}"),
        event(EventKind::TaskStarted, 1_000, r#"{"worker":"killed"}"#),
        event(EventKind::TaskReceived, 3_600_000_000, "{}"),
        event(
            EventKind::TaskStarted,
            3_600_002_000,
            r#"{"worker":"alive"}"#,
        ),
        event(EventKind::TaskSucceeded, 3_600_005_000, "{}"),
    ];
    let record = record(&events);
    let view = record.view();
    assert_eq!(
        (view.worker, view.wait_ms, view.runtime_ms, view.retry_count),
        (Some("alive"), Some(2), Some(3), 0)
    );
}

#[test]
fn two_reports_of_one_retry_count_once() {
    let mut events = celery_retry();
    events.push(event(EventKind::TaskRetried, 530_900, "{}"));
    events.push(event(EventKind::TaskStarted, 519_999, "{}"));
    assert_eq!(record(&events).retry_count(), 1);
    events.push(event(EventKind::TaskReceived, 0, r#"{"retries":3}"#));
    assert_eq!(record(&events).retry_count(), 3);
}

#[test]
fn an_event_of_an_unknown_kind_shows_that_the_task_exists_and_nothing_more() {
    let strange = event(
        EventKind::parse("task.paused"),
        7,
        r#"{"task_name":"app.a"}"#,
    );
    assert_eq!(strange.kind.as_str(), "task.paused");
    let alone = record(std::slice::from_ref(&strange));
    assert_eq!(
        (alone.state(), alone.state_at(), alone.name()),
        (TaskState::Unknown, at(7), Some("app.a"))
    );
    let started = record(&[strange, event(EventKind::TaskStarted, 3, "{}")]);
    assert_eq!(started.state(), TaskState::Started);
}

#[test]
fn events_about_other_things_are_refused() {
    let online = event(EventKind::WorkerOnline, 1, "{}");
    assert_eq!(
        apply(None, &online),
        Verdict::Refuse(RefuseReason::NotAboutATask)
    );
    assert!(TaskRecord::from_event(&online).is_none());
    let mut record = record(&[event(EventKind::TaskSent, 1, "{}")]);
    assert!(!record.absorb(&online));
}

#[test]
fn a_repeat_is_absorbed_and_is_no_transition() {
    let first = event(EventKind::TaskStarted, 1, "{}").with_agent(AgentId::from_u128(1));
    let known = record(std::slice::from_ref(&first));
    assert_eq!(
        apply(Some(&known), &first),
        Verdict::Absorb(AbsorbReason::AlreadyKnown)
    );
    assert_eq!(transition(Some(&known), &known), None);
    let started = Transition {
        from: None,
        to: TaskState::Started,
        at: at(1),
    };
    assert_eq!(transition(None, &known), Some(started));
    let again = record(&[first, event(EventKind::TaskStarted, 5, "{}")]);
    let later = Transition {
        from: Some(TaskState::Started),
        to: TaskState::Started,
        at: at(5),
    };
    assert_eq!(transition(Some(&known), &again), Some(later));
}

#[test]
fn arguments_beat_a_marker_that_stands_for_them() {
    let events = [
        event(EventKind::TaskReceived, 1, r#"{"args":[1,{"a":null}]}"#),
        event(EventKind::TaskReceived, 2, r#"{"args":"[REDACTED]"}"#),
    ];
    assert_eq!(record(&events).view().args, Some(r#"[1,{"a":null}]"#));
}
