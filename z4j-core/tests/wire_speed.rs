//! How fast frames are verified, decoded and redacted on one core. Meaningful in release builds only:
//! `cargo test --release -p z4j-core --test wire_speed -- --ignored --nocapture`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::use_self,
    clippy::disallowed_methods,
    reason = "a test program: a failure is a panic, and a measurement reads the real clock"
)]

use std::time::{Duration, Instant};

use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::redact::{DefaultRedactor, Raw, redact_json};
use z4j_core::wire::{Frame, FrameType, RawJson, Received, SessionBinding, Verifier, frame_mac};

fn binding() -> SessionBinding {
    SessionBinding {
        agent_id: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee".to_owned(),
        project_id: "11111111-2222-4333-8444-555555555555".to_owned(),
        session_id: "99999999-8888-4777-8666-555555555555".to_owned(),
    }
}

/// A frame as a published agent writes it: members in its order, no white space.
fn frame(seq: u64, events: u64, at: &str, key: &SecretKey) -> Vec<u8> {
    let events: Vec<String> = (0..events)
        .map(|index| {
            format!(
                r#"{{"id":"6d011566-95e1-4a81-b635-{index:012x}","kind":"task.received","engine":"celery","task_id":"71e9c7ed-3365-4748-86ed-{index:012x}","occurred_at":"{at}","data":{{"task_name":"shop.orders.tasks.recalculate_totals","queue":"celery","worker":"w1@host-{index}","args":[{index},3.25,"EUR",null],"kwargs":{{"customer":{index},"note":"ship before noon, ring twice","dry_run":false,"lines":[1,2,3,4,5,6,7,8]}},"root_task_id":"71e9c7ed-3365-4748-86ed-{index:012x}","runtime_ms":12.5}}}}"#
            )
        })
        .collect();
    let body = format!(
        r#"{{"v":2,"id":"ev_{seq:032x}","ts":"{at}","nonce":"n{seq:021}","seq":{seq},"hmac":"","type":"event_batch","payload":{{"events":[{}]}}}}"#,
        events.join(",")
    );
    let mac = frame_mac(body.as_bytes(), key, &binding()).unwrap();
    body.replace(r#""hmac":"""#, &format!(r#""hmac":"{mac}""#))
        .into_bytes()
}

#[derive(Default)]
struct Spent {
    verify: Duration,
    decode: Duration,
    redact: Duration,
}

fn measure(events: u64, frames: u64) -> f64 {
    let (env, key) = (Env::system(), SecretKey::from_bytes(vec![7; 32]));
    let at = env.now().to_string();
    let frames: Vec<Vec<u8>> = (1..=frames)
        .map(|seq| frame(seq, events, &at, &key))
        .collect();
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let redactor = DefaultRedactor::strict();
    let mut verifier = Verifier::new(&key, binding());
    let mut spent = Spent::default();
    for frame in &frames {
        let start = Instant::now();
        let verified = verifier.verify(frame, Received::now(&env)).unwrap();
        assert_eq!(verified.kind, FrameType::EventBatch);
        let after_verify = Instant::now();
        let Frame::EventBatch(batch) = verified.decode().unwrap() else {
            panic!("no batch")
        };
        let after_decode = Instant::now();
        for event in batch.events() {
            let kept = redact_json(&redactor, "", Raw::new(event.data));
            assert_eq!(kept.get().len(), event.data.as_str().len());
        }
        spent.verify += after_verify - start;
        spent.decode += after_decode - after_verify;
        spent.redact += after_decode.elapsed();
    }
    let megabytes = bytes as f64 / 1e6;
    let rate = |time: Duration| megabytes / time.as_secs_f64();
    let total = spent.verify + spent.decode + spent.redact;
    println!(
        "{events} events/frame, {} bytes/frame: verify {:.0} MB/s, decode {:.0} MB/s, redact {:.0} MB/s, all {:.0} MB/s, {:.1} us/frame",
        bytes / frames.len(),
        rate(spent.verify),
        rate(spent.decode),
        rate(spent.redact),
        rate(total),
        total.as_secs_f64() * 1e6 / frames.len() as f64,
    );
    rate(total)
}

#[test]
#[ignore = "a measurement; run it in a release build on a quiet machine"]
fn frames_pass_at_150_megabytes_per_second_and_core() {
    measure(200, 100);
    measure(1, 3000);
    assert!(measure(200, 300) >= 150.0);
}

fn redaction_rate(name: &str, json: &str) -> f64 {
    let redactor = DefaultRedactor::strict();
    let data = RawJson::parse(json).unwrap();
    let rounds = 1 + 8_000_000 / json.len();
    let start = Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(redact_json(&redactor, "", Raw::new(data)));
    }
    let rate = (rounds * json.len()) as f64 / 1e6 / start.elapsed().as_secs_f64();
    println!("{name}: {} bytes at {rate:.0} MB/s", json.len());
    rate
}

/// S-42: time per byte does not grow with the size of hostile input.
#[test]
#[ignore = "a measurement; run it in a release build on a quiet machine"]
fn redos_input_takes_no_more_time_per_byte_when_it_is_large() {
    for (name, part) in [
        (
            "traceback",
            "  File \"/srv/app/tasks.py\", line 12, in add\n    return a + b\n",
        ),
        ("not ASCII", "h\u{e9}llo \u{2603} \u{438} "),
        ("half a JWT", "eyJa.eyJa-"),
        ("half an address", "a.b+c@d-e.f."),
        ("half a URL", "redis://a:b:"),
        ("half a number", "123-45-678 \u{e9}"),
        ("half a header", "Bearer  "),
    ] {
        let sized = |bytes: usize| {
            let json = serde_json::to_string(&part.repeat(1 + bytes / part.len())).unwrap();
            redaction_rate(name, &json)
        };
        let (small, large) = (sized(8 << 10), sized(1 << 20));
        assert!(large * 1.5 > small, "{name}: {small} then {large}");
    }
}
