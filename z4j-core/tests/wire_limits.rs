//! Every limit of the wire at one below, at, and one above.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::use_self,
    reason = "a test program: a failure is a panic"
)]

use std::collections::BTreeMap;

use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::limits;
use z4j_core::wire::{
    BatchEntry, EventBatch, FrameType, Heartbeat, Hello, HelloAck, RawJson, Received, Refusal,
    SessionBinding, SignError, Signer, TelemetryLoss, Verifier, ack_frame_id, decode_hello,
    encode_hello,
};

fn binding() -> SessionBinding {
    SessionBinding {
        agent_id: "a".to_owned(),
        project_id: "p".to_owned(),
        session_id: "s".to_owned(),
    }
}

fn ends() -> (Signer, Verifier, Env) {
    let (env, key) = (Env::system(), SecretKey::from_bytes(vec![7; 32]));
    (
        Signer::new(&key, binding(), env.clone()),
        Verifier::new(&key, binding()),
        env,
    )
}

#[test]
fn a_frame_may_be_as_large_as_agreed_and_no_larger() {
    for (extra, fits) in [(-1_i64, true), (0, true), (1, false)] {
        let (mut signer, mut verifier, env) = ends();
        let mut frame = signer
            .sign(FrameType::Heartbeat, "hb", &Heartbeat::default())
            .unwrap();
        // White space around a frame is not signed, so padding keeps the MAC right.
        let size = usize::try_from(limits::FRAME_BYTES_MAX as i64 + extra).unwrap();
        frame.resize(size, b' ');
        let outcome = verifier.verify(&frame, Received::now(&env)).map(|_| ());
        assert_eq!(outcome, if fits { Ok(()) } else { Err(Refusal::TooBig) });
    }
}

#[test]
fn a_signer_makes_no_frame_above_the_limit_and_uses_up_no_seq_for_it() {
    let (signer, _, _) = ends();
    let mut probe = signer;
    let exact = probe
        .sign(FrameType::Heartbeat, "hb", &Heartbeat::default())
        .unwrap()
        .len();
    for (limit, fits) in [(exact - 1, false), (exact, true), (exact + 1, true)] {
        let (signer, _, _) = ends();
        let mut signer = signer.with_frame_bytes_max(limit);
        match signer.sign(FrameType::Heartbeat, "hb", &Heartbeat::default()) {
            Ok(_) => assert!(fits),
            Err(SignError::TooBig { bytes, bytes_max }) => {
                assert_eq!((fits, bytes, bytes_max), (false, exact, limit));
            }
            Err(other) => panic!("{other}"),
        }
        assert_eq!(signer.last_seq(), u64::from(fits));
    }
}

#[test]
fn a_batch_has_at_most_the_agreed_number_of_events() {
    for (count, fits) in [(4_999, true), (5_000, true), (5_001, false)] {
        let payload = format!(r#"{{"events":[{}]}}"#, vec!["{}"; count].join(","));
        let batch = EventBatch::decode(RawJson::parse(&payload).unwrap());
        assert_eq!(batch.is_ok(), fits, "{count}");
    }
}

#[test]
fn a_name_that_is_too_long_costs_its_event_only() {
    for (member, chars_max) in [
        ("engine", limits::ENGINE_CHARS_MAX),
        ("task_id", limits::TASK_ID_CHARS_MAX),
    ] {
        for (chars, fits) in [
            (chars_max - 1, true),
            (chars_max, true),
            (chars_max + 1, false),
        ] {
            let name = "☃".repeat(chars);
            let payload = format!(r#"{{"events":[{{"{member}":"{name}"}},{{"kind":"ok"}}]}}"#);
            let batch = EventBatch::decode(RawJson::parse(&payload).unwrap()).unwrap();
            assert_eq!(matches!(batch.entries[0], BatchEntry::Event(_)), fits);
            assert!(matches!(batch.entries[1], BatchEntry::Event(_)));
        }
    }
}

#[test]
fn hello_members_have_caps() {
    let check = |change: &dyn Fn(&mut Hello, usize), max: usize| {
        for (size, fits) in [(max - 1, true), (max, true), (max + 1, false)] {
            let mut hello = Hello::new("1.13.0", "bare");
            change(&mut hello, size);
            let decoded = decode_hello(&encode_hello("h", &hello).unwrap());
            assert_eq!(decoded.is_ok(), fits, "{size}");
        }
    };
    let list = |size: usize| vec!["x".to_owned(); size];
    check(
        &|hello, size| hello.agent_version = "1".repeat(size),
        limits::VERSION_CHARS_MAX,
    );
    check(
        &|hello, size| hello.framework = "f".repeat(size),
        limits::FRAMEWORK_CHARS_MAX,
    );
    check(
        &|hello, size| hello.engines = list(size),
        limits::HELLO_LIST_ENTRIES_MAX,
    );
    check(
        &|hello, size| hello.runtime_features = list(size),
        limits::HELLO_LIST_ENTRIES_MAX,
    );
    check(
        &|hello, size| hello.worker_id = Some("w".repeat(size)),
        limits::WORKER_ID_CHARS_MAX,
    );
    check(
        &|hello, size| hello.worker_role = Some("r".repeat(size)),
        limits::WORKER_ROLE_CHARS_MAX,
    );
    check(
        &|hello, size| hello.worker_pid = u32::try_from(size).ok(),
        usize::try_from(i32::MAX).unwrap(),
    );
    for (size, fits) in [(63, true), (64, true), (65, false)] {
        let frame = encode_hello(&"i".repeat(size), &Hello::new("1", "bare")).unwrap();
        assert_eq!(decode_hello(&frame).is_ok(), fits);
    }
}

#[test]
fn hello_ack_numbers_have_caps() {
    let ack = |heartbeat: u32, bytes: u32| HelloAck {
        protocol_version: "2".to_owned(),
        brain_version: String::new(),
        agent_id: "a".to_owned(),
        project_id: "p".to_owned(),
        session_id: "s".to_owned(),
        heartbeat_interval_seconds: heartbeat,
        max_frame_size_bytes: bytes,
        stream: None,
    };
    for (heartbeat, fits) in [(0, false), (1, true), (3600, true), (3601, false)] {
        assert_eq!(ack(heartbeat, 1024).is_within_limits(), fits);
    }
    for (bytes, fits) in [
        (1023, false),
        (1024, true),
        (64 << 20, true),
        ((64 << 20) + 1, false),
    ] {
        assert_eq!(ack(10, bytes).is_within_limits(), fits);
    }
}

#[test]
fn loss_counters_have_caps_and_wrong_ones_end_the_session() {
    let loss = |records: u64, adapters: usize, id_chars: usize| TelemetryLoss {
        buffer_id: "b".repeat(id_chars),
        runtime_id: "r".to_owned(),
        event_records: records,
        adapter_events: (0..adapters)
            .map(|n| (format!("e{n}"), 1))
            .collect::<BTreeMap<_, _>>(),
        ..TelemetryLoss::default()
    };
    let max = limits::SAFE_INTEGER_MAX;
    for (loss, fits) in [
        (loss(max - 1, 31, 1), true),
        (loss(max, 32, 64), true),
        (loss(max + 1, 0, 1), false),
        (loss(0, 33, 1), false),
        (loss(0, 0, 0), false),
        (loss(0, 0, 65), false),
    ] {
        let (mut signer, mut verifier, env) = ends();
        let beat = Heartbeat {
            telemetry_loss: Some(loss.clone()),
            ..Heartbeat::default()
        };
        let frame = signer.sign(FrameType::Heartbeat, "hb", &beat).unwrap();
        let outcome = verifier.verify(&frame, Received::now(&env)).map(|_| ());
        assert_eq!(
            outcome,
            if fits {
                Ok(())
            } else {
                Err(Refusal::Malformed)
            }
        );
    }
    assert_eq!(
        loss(u64::MAX, 3, 1).dropped_events(),
        limits::HEARTBEAT_COUNT_MAX
    );
}

#[test]
fn the_id_of_an_ack_is_cut_to_what_an_id_may_be() {
    assert_eq!(ack_frame_id("ev_1"), "eba_ev_1");
    for chars in [59, 60, 61, 500] {
        let id = ack_frame_id(&"ü".repeat(chars));
        assert_eq!(
            id.chars().count(),
            (chars + 4).min(limits::FRAME_ID_CHARS_MAX)
        );
    }
}
