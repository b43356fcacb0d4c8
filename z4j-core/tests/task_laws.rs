//! The laws of the merge, on random histories, against a model that sees the same events once and in order.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken helper fails the test that called it"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use z4j_core::id::AgentId;
use z4j_core::task::{
    CounterKey, EventKind, TaskEvent, TaskFacts, TaskRecord, TaskState, Text, Verdict, apply,
    counter_delta, counters_of, transition,
};
use z4j_core::time::Timestamp;

fn kinds() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        Just(EventKind::TaskSent),
        Just(EventKind::TaskReceived),
        Just(EventKind::TaskStarted),
        Just(EventKind::TaskRetried),
        Just(EventKind::TaskSucceeded),
        Just(EventKind::TaskFailed),
        Just(EventKind::TaskRevoked),
        Just(EventKind::TaskRejected),
        Just(EventKind::Unknown("task.odd".into())),
    ]
}

fn word() -> impl Strategy<Value = Option<Text>> {
    proptest::option::of(prop_oneof![
        Just(Text::from("a")),
        Just(Text::from("b")),
        Just(Text::from("[1]"))
    ])
}

prop_compose! {
    fn facts()(
        a in [word(), word(), word(), word(), word(), word(), word(), word()],
        b in [word(), word(), word(), word(), word()],
        runtime_ms in proptest::option::of(0_u64..3),
        eta in proptest::option::of(0_i64..3),
        retries in proptest::option::of(0_u32..4),
        tags in proptest::collection::vec(Just(Text::from("t")), 0..2),
    ) -> TaskFacts {
        let [name, queue, worker, priority, args, kwargs, result, exception] = a;
        let [exception_message, traceback, reason, parent_task_id, root_task_id] = b;
        let eta = eta.map(Timestamp::from_micros);
        TaskFacts {
            name, queue, worker, priority, args, kwargs, result, exception, exception_message, traceback, reason,
            runtime_ms, eta, parent_task_id, root_task_id, retries, tags,
        }
    }
}

/// Times are few, so that ties are common; some are minutes apart, so that counters move between buckets.
fn events() -> impl Strategy<Value = Vec<TaskEvent>> {
    let one = (kinds(), 0_i64..12, proptest::option::of(1_u128..3), facts());
    let event = one.prop_map(|(kind, time, agent, facts)| TaskEvent {
        kind,
        // Steps of three seconds: some starts are echoes, some are not.
        at: Timestamp::from_micros(time * 3_000_000),
        agent: agent.map(AgentId::from_u128),
        facts,
    });
    proptest::collection::vec(event, 1..14)
}

fn merged(events: &[TaskEvent]) -> TaskRecord {
    let mut record = TaskRecord::from_event(&events[0]).unwrap();
    for event in &events[1..] {
        record.absorb(event);
    }
    record
}

/// A start within five seconds of an end, of a task that was received, but not after that end.
fn is_echo(events: &[TaskEvent], ended_at: Timestamp, started_at: Timestamp) -> bool {
    let receipts = events
        .iter()
        .filter(|event| event.kind == EventKind::TaskReceived);
    let latest = receipts.map(|event| event.at).max();
    latest.is_some_and(|at| at <= ended_at) && started_at.since(ended_at).as_secs() <= 5
}

/// Seen once, in the order of their times, by the simplest machine there is.
fn model(events: &[TaskEvent]) -> (TaskState, Timestamp) {
    const ORDER: [&str; 9] = [
        "task.odd",
        "task.sent",
        "task.received",
        "task.retried",
        "task.started",
        "task.rejected",
        "task.revoked",
        "task.failed",
        "task.succeeded",
    ];
    let mut sorted: Vec<_> = events.iter().collect();
    sorted.sort_by_key(|event| {
        (
            event.at,
            ORDER.iter().position(|name| *name == event.kind.as_str()),
        )
    });
    // What sets a state whatever came before; the rest only counts when nothing better is known.
    let mut state: Option<(TaskState, Timestamp)> = None;
    let mut weak = BTreeMap::new();
    for event in sorted {
        let next = match event.kind {
            EventKind::TaskSucceeded => Some(TaskState::Success),
            EventKind::TaskFailed => Some(TaskState::Failure),
            EventKind::TaskRevoked => Some(TaskState::Revoked),
            EventKind::TaskRejected => Some(TaskState::Rejected),
            EventKind::TaskStarted => match state {
                Some((ended, at)) if ended.is_terminal() && is_echo(events, at, event.at) => None,
                _ => Some(TaskState::Started),
            },
            EventKind::TaskRetried => match state {
                Some((
                    TaskState::Success
                    | TaskState::Failure
                    | TaskState::Revoked
                    | TaskState::Rejected,
                    _,
                )) => None,
                _ => Some(TaskState::Retry),
            },
            EventKind::TaskReceived => {
                weak.insert(2, (TaskState::Received, event.at));
                match state {
                    Some((TaskState::Retry, retried)) if event.at > retried => {
                        Some(TaskState::Received)
                    }
                    Some((TaskState::Received, _)) => Some(TaskState::Received),
                    _ => None,
                }
            }
            EventKind::TaskSent => {
                weak.insert(1, (TaskState::Pending, event.at));
                None
            }
            _ => {
                weak.insert(0, (TaskState::Unknown, event.at));
                None
            }
        };
        if let Some(next) = next {
            state = Some((next, event.at));
        }
    }
    state.or_else(|| weak.into_values().next_back()).unwrap()
}

/// Each kind is absent or happened at one of three times: every tie and every order there is.
#[test]
fn every_small_history_has_the_state_of_the_model() {
    const KINDS: [EventKind; 7] = [
        EventKind::TaskReceived,
        EventKind::TaskStarted,
        EventKind::TaskRetried,
        EventKind::TaskSucceeded,
        EventKind::TaskFailed,
        EventKind::TaskRevoked,
        EventKind::TaskRejected,
    ];
    for code in 1..4_i64.pow(7) {
        let mut rest = code;
        let mut events = Vec::new();
        for kind in KINDS {
            if rest % 4 > 0 {
                events.push(TaskEvent::new(kind, Timestamp::from_micros(rest % 4)));
            }
            rest /= 4;
        }
        let record = merged(&events);
        assert_eq!(
            (record.state(), record.state_at()),
            model(&events),
            "{events:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_state_is_the_one_of_the_model(events in events()) {
        let record = merged(&events);
        prop_assert_eq!((record.state(), record.state_at()), model(&events));
    }

    #[test]
    fn any_order_and_any_repeats_end_in_the_same_record(
        events in events(),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..10),
        order in any::<u64>(),
    ) {
        let mut shuffled = events.clone();
        shuffled.extend(picks.iter().map(|pick| pick.get(&events).clone()));
        // A fixed scramble of the order, so that a failing case shrinks.
        shuffled.sort_by_key(|event| {
            let text = format!("{order}{event:?}");
            text.bytes().fold(order, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)))
        });
        prop_assert_eq!(merged(&shuffled), merged(&events));
    }

    #[test]
    fn any_batching_ends_in_the_same_record(events in events(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(events.len());
        let whole = merged(&events);
        if cut > 0 {
            let (head, tail) = (merged(&events[..cut]), merged(&events[cut..]));
            prop_assert_eq!(&head.join(&tail), &whole);
            prop_assert_eq!(&tail.join(&head), &whole);
        }
    }

    #[test]
    fn joining_is_associative_idempotent_and_never_loses(a in events(), b in events(), c in events()) {
        let (a, b, c) = (merged(&a), merged(&b), merged(&c));
        prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
        prop_assert_eq!(&a.join(&a), &a);
        let both = a.join(&b);
        prop_assert_eq!(&both.join(&a), &both);
        prop_assert_eq!(&both.join(&b), &both);
    }

    #[test]
    fn apply_advances_exactly_when_the_record_changes(events in events(), extra in events()) {
        let before = merged(&events);
        for event in &extra {
            let mut after = before.clone();
            let changed = after.absorb(event);
            prop_assert_eq!(changed, after != before);
            match apply(Some(&before), event) {
                Verdict::Advance(record) => {
                    prop_assert!(changed);
                    prop_assert_eq!(record, after);
                }
                Verdict::Absorb(_) => prop_assert!(!changed),
                Verdict::Refuse(reason) => prop_assert!(false, "refused: {:?}", reason),
            }
        }
    }

    #[test]
    fn the_stored_form_keeps_everything(events in events()) {
        let record = merged(&events);
        prop_assert_eq!(TaskRecord::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn counters_moved_by_deltas_equal_their_recomputation(events in events()) {
        let mut counters: BTreeMap<CounterKey, i64> = BTreeMap::new();
        let mut current: Option<TaskRecord> = None;
        for event in &events {
            let Verdict::Advance(next) = apply(current.as_ref(), event) else { continue };
            let delta = counter_delta(current.as_ref(), &next);
            for (key, change) in &delta {
                *counters.entry(*key).or_default() += change;
            }
            if transition(current.as_ref(), &next).is_some_and(|change| change.from != Some(change.to)) {
                prop_assert!(!delta.is_empty());
            }
            current = Some(next);
        }
        counters.retain(|_, count| *count != 0);
        let expected: BTreeMap<_, _> = counters_of(&current.unwrap()).into_iter().collect();
        prop_assert_eq!(counters, expected);
    }

    #[test]
    fn only_facts_of_the_current_attempt_are_shown(events in events()) {
        let record = merged(&events);
        let view = record.view();
        prop_assert_eq!(view.finished_at.is_some(), view.state.is_terminal());
        prop_assert!(view.result.is_none() || view.state == TaskState::Success);
        let has_error = matches!(view.state, TaskState::Failure | TaskState::Retry);
        prop_assert!(view.exception.is_none() || has_error);
        prop_assert!(view.runtime_ms.is_none() || view.state.is_terminal());
        if let (Some(start), Some(end)) = (view.started_at, view.finished_at) {
            prop_assert!(start <= end);
        }
        if let (Some(received), Some(start)) = (view.received_at, view.started_at) {
            prop_assert!(received <= start);
        }
        prop_assert!(view.first_seen <= view.state_at);
    }

    #[test]
    fn the_cap_on_marks_does_not_disturb_the_merge(times in proptest::collection::vec((0_i64..400, kinds()), 300..500)) {
        let events: Vec<_> =
            times.into_iter().map(|(time, kind)| TaskEvent::new(kind, Timestamp::from_micros(time))).collect();
        let mut backwards = events.clone();
        backwards.reverse();
        let whole = merged(&events);
        prop_assert_eq!(&merged(&backwards), &whole);
        prop_assert_eq!(&merged(&events[..150]).join(&merged(&events[150..])), &whole);
    }
}
