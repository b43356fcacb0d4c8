//! What is read from an event's data, and what is not.
#![allow(
    clippy::unwrap_used,
    reason = "a broken helper fails the test that called it"
)]

use serde_json::value::RawValue;
use z4j_core::task::{EventKind, TaskEvent, TaskFacts};
use z4j_core::time::Timestamp;

fn read(kind: EventKind, data: &str) -> TaskFacts {
    let data = RawValue::from_string(data.to_owned()).unwrap();
    TaskEvent::from_data(kind, Timestamp::EPOCH, None, &data).facts
}

fn received(data: &str) -> TaskFacts {
    read(EventKind::TaskReceived, data)
}

#[test]
fn every_member_is_read() {
    let facts = received(
        r#"{"task_name":"app.a","queue":"q","worker":"w","priority":"high","args":[1, "é"],"kwargs":{"k":null},
            "root_task_id":"r","parent_task_id":"p","eta":"2026-11-23T10:00:00+02:00","retries":2,"tags":["x","y","x"],
            "runtime_ms":12.6,"reason":"why","expected_duration_ms":5,"exception":"E","exception_message":"m","traceback":"t","result":null}"#,
    );
    let expected = TaskFacts {
        name: Some("app.a".into()),
        queue: Some("q".into()),
        worker: Some("w".into()),
        priority: Some("high".into()),
        args: Some(r#"[1, "é"]"#.into()),
        kwargs: Some(r#"{"k":null}"#.into()),
        result: None,
        exception: Some("E".into()),
        exception_message: Some("m".into()),
        traceback: Some("t".into()),
        reason: Some("why".into()),
        runtime_ms: Some(13),
        eta: Some("2026-11-23T08:00:00Z".parse().unwrap()),
        parent_task_id: Some("p".into()),
        root_task_id: Some("r".into()),
        retries: Some(2),
        tags: vec!["x".into(), "y".into()],
    };
    assert_eq!(facts, expected);
}

#[test]
fn members_of_the_wrong_type_are_absent_and_cost_no_other_member() {
    let facts = received(
        r#"{"task_name":7,"queue":["q"],"worker":{"w":1},"priority":true,"runtime_ms":"fast","eta":"soon","retries":-1,
            "tags":"x","parent_task_id":9,"exception":false,"root_task_id":"r"}"#,
    );
    let expected = TaskFacts {
        root_task_id: Some("r".into()),
        ..TaskFacts::default()
    };
    assert_eq!(facts, expected);
}

#[test]
fn placeholders_and_blanks_are_absent() {
    for name in ["<unknown:71e9c7ed>", "<unknown>", "", "  "] {
        let facts = received(&format!(
            r#"{{"task_name":"{name}","queue":"","worker":" "}}"#
        ));
        assert_eq!(facts, TaskFacts::default(), "{name}");
    }
}

#[test]
fn data_that_is_no_object_says_nothing() {
    for data in ["null", "[]", "[1]", "\"text\"", "7", "{}"] {
        assert_eq!(received(data), TaskFacts::default(), "{data}");
    }
}

#[test]
fn escapes_are_decoded_and_nul_is_replaced() {
    let facts =
        received(r#"{"task_name":"a\u0000b\n\u00e9","task\u005fname2":1,"queue":"\ud800"}"#);
    assert_eq!(facts.name.as_deref(), Some("a\u{fffd}b\né"));
    assert_eq!(facts.queue, None);
}

#[test]
fn numbers_out_of_range_are_absent() {
    let facts = received(r#"{"runtime_ms":-1,"eta":1e300,"retries":99999999999,"priority":5}"#);
    assert_eq!(
        (facts.runtime_ms, facts.eta, facts.retries),
        (None, None, None)
    );
    assert_eq!(facts.priority.as_deref(), Some("5"));
    let facts = received(r#"{"runtime_ms":1e400,"eta":1795422000.5}"#);
    assert_eq!(facts.runtime_ms, None);
    assert_eq!(
        facts.eta,
        Some(Timestamp::from_micros(1_795_422_000_500_000))
    );
}

#[test]
fn an_error_that_is_one_text_is_taken_apart() {
    let facts = read(
        EventKind::TaskFailed,
        r#"{"exception":"Traceback:\n  line\nmy.mod.Error: went: wrong\n\n"}"#,
    );
    assert_eq!(facts.exception.as_deref(), Some("Error"));
    assert_eq!(facts.exception_message.as_deref(), Some("went: wrong"));
    assert_eq!(
        facts.traceback.as_deref(),
        Some("Traceback:\n  line\nmy.mod.Error: went: wrong\n\n")
    );

    let bare = read(
        EventKind::TaskFailed,
        r#"{"exception":"Traceback:\n  line\nKeyError"}"#,
    );
    assert_eq!(
        (bare.exception.as_deref(), bare.exception_message),
        (Some("KeyError"), None)
    );

    let prose = read(
        EventKind::TaskFailed,
        r#"{"exception":"it broke\nin two places"}"#,
    );
    assert_eq!(
        (prose.exception, prose.exception_message.as_deref()),
        (None, Some("in two places"))
    );

    let plain = read(
        EventKind::TaskFailed,
        r#"{"exception":"ValueError","traceback":"t"}"#,
    );
    assert_eq!(
        (plain.exception.as_deref(), plain.traceback.as_deref()),
        (Some("ValueError"), Some("t"))
    );
}

#[test]
fn a_task_is_not_its_own_parent() {
    let data =
        RawValue::from_string(r#"{"parent_task_id":"t1","root_task_id":"t1"}"#.to_owned()).unwrap();
    let event = TaskEvent::from_data(EventKind::TaskReceived, Timestamp::EPOCH, None, &data);
    assert_eq!(
        event.clone().about("t2").facts.parent_task_id.as_deref(),
        Some("t1")
    );
    let own = event.about("t1");
    assert_eq!(
        (own.facts.parent_task_id, own.facts.root_task_id.as_deref()),
        (None, Some("t1"))
    );
}

#[test]
fn a_parent_id_that_is_too_long_is_absent() {
    let long = "x".repeat(201);
    assert_eq!(
        received(&format!(r#"{{"parent_task_id":"{long}"}}"#)).parent_task_id,
        None
    );
    assert!(
        received(&format!(r#"{{"parent_task_id":"{}"}}"#, &long[1..]))
            .parent_task_id
            .is_some()
    );
}

#[test]
fn kinds_are_read_from_any_text() {
    for kind in EventKind::KNOWN {
        assert_eq!(&EventKind::parse(kind.as_str()), kind);
    }
    assert_eq!(
        EventKind::parse("task.new"),
        EventKind::Unknown("task.new".into())
    );
    assert_eq!(EventKind::parse("unknown").as_str(), "unknown");
}
