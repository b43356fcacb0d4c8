//! Laws of the canonical form, the signer and the replay guard, on random input.
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
use std::time::Duration;

use proptest::prelude::*;
use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::limits::{FRAME_SKEW_MAX, NONCE_MEMORY};
use z4j_core::time::Timestamp;
use z4j_core::wire::{
    FrameType, Received, ReplayGuard, SessionBinding, Signer, Stamp, Verifier, canonical_value,
    signed_bytes,
};

/// A JSON value with its numbers as spelled and its members as sent.
#[derive(Clone, Debug)]
enum Json {
    Word(&'static str),
    Int(String),
    Float(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn int() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string()),
        "-?[1-9][0-9]{20,60}",
        Just("0".to_owned()),
        Just("-0".to_owned()),
    ]
}

fn float() -> impl Strategy<Value = String> {
    let spelled = prop_oneof![
        "-?(0|[1-9][0-9]{0,18})\\.[0-9]{1,20}",
        "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,5})?[eE][+-]?[0-9]{1,3}",
        any::<f64>().prop_map(|value| format!("{value:e}")),
    ];
    spelled.prop_filter("a float literal", |text| {
        let number: Result<f64, _> = text.parse();
        text.contains(['.', 'e', 'E']) && number.is_ok_and(f64::is_finite)
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-d]{0,2}",
        "[ -~]{0,12}",
        any::<String>(),
        "[\u{0}-\u{1f}\"\\\\/]{0,6}"
    ]
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false"]).prop_map(Json::Word),
        int().prop_map(Json::Int),
        float().prop_map(Json::Float),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
            prop::collection::vec((text(), inner), 0..6).prop_map(Json::Object),
        ]
    })
}

/// Spells a value with white space and escapes chosen by `dice`.
fn spell(value: &Json, dice: &mut u64, out: &mut String) {
    space(dice, out);
    match value {
        Json::Word(word) => out.push_str(word),
        Json::Int(text) | Json::Float(text) => out.push_str(text),
        Json::Text(text) => spell_text(text, dice, out),
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                spell(element, dice, out);
            }
            space(dice, out);
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                space(dice, out);
                spell_text(key, dice, out);
                space(dice, out);
                out.push(':');
                spell(member, dice, out);
            }
            space(dice, out);
            out.push('}');
        }
    }
    space(dice, out);
}

fn roll(dice: &mut u64, sides: u64) -> u64 {
    *dice = dice
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*dice >> 33) % sides
}

fn space(dice: &mut u64, out: &mut String) {
    if roll(dice, 4) == 0 {
        out.push_str([" ", "\n", "\t", "\r\n "][roll(dice, 4) as usize]);
    }
}

fn spell_text(text: &str, dice: &mut u64, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match (char, roll(dice, 6)) {
            (_, 0) => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            (_, 1) if char < '\u{20}' => out.push_str(&format!("\\u{:04X}", u32::from(char))),
            ('/', 2) => out.push_str("\\/"),
            _ => {
                let plain = serde_json::to_string(&char.to_string()).unwrap();
                out.push_str(&plain[1..plain.len() - 1]);
            }
        }
    }
    out.push('"');
}

/// The canonical form by the slow way: sorted trees, and floats laid out from their digits.
fn oracle(value: &Json, out: &mut String) {
    match value {
        Json::Word(word) => out.push_str(word),
        Json::Int(text) => out.push_str(if text == "-0" { "0" } else { text }),
        Json::Float(text) => oracle_float(text.parse().unwrap(), out),
        Json::Text(text) => oracle_text(text, out),
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                oracle(element, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            let sorted: BTreeMap<Vec<char>, &Json> = members
                .iter()
                .map(|(key, member)| (key.chars().collect(), member))
                .collect();
            out.push('{');
            for (index, (key, member)) in sorted.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                oracle_text(&key.iter().collect::<String>(), out);
                out.push(':');
                oracle(member, out);
            }
            out.push('}');
        }
    }
}

fn oracle_text(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < '\u{20}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)))
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn oracle_float(value: f64, out: &mut String) {
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    out.push_str(sign);
    if !(-4..16).contains(&exponent) {
        let tail = &digits[1..];
        let point = if tail.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        out.push_str(&format!(
            "{}{point}{tail}e{sign}{:02}",
            &digits[..1],
            exponent.abs()
        ));
    } else if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap());
        out.push_str(&format!("0.{zeros}{digits}"));
    } else {
        let whole = usize::try_from(exponent).unwrap() + 1;
        let padded = format!("{digits:0<whole$}");
        let (front, back) = padded.split_at(whole);
        out.push_str(&format!(
            "{front}.{}",
            if back.is_empty() { "0" } else { back }
        ));
    }
}

fn binding() -> SessionBinding {
    SessionBinding {
        agent_id: "a".to_owned(),
        project_id: "p".to_owned(),
        session_id: "s".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn canonical_form_equals_that_of_the_slow_oracle_however_it_is_spelled(value in json(), mut dice in any::<u64>()) {
        let (mut spelled, mut expected) = (String::new(), String::new());
        spell(&value, &mut dice, &mut spelled);
        oracle(&value, &mut expected);
        let canonical = String::from_utf8(canonical_value(spelled.as_bytes()).unwrap()).unwrap();
        prop_assert_eq!(&canonical, &expected);
        let again = canonical_value(canonical.as_bytes()).unwrap();
        prop_assert_eq!(String::from_utf8(again).unwrap(), canonical);
    }

    #[test]
    fn any_bytes_are_read_or_refused_alike_by_us_and_by_serde(bytes in prop::collection::vec(
        prop::sample::select(b"{}[]\",:\\u0dD8c12e.+-Etrufalsn \xC3\xBC".to_vec()), 0..24))
    {
        let ours = canonical_value(&bytes).is_ok();
        let serde = serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
        prop_assert_eq!(ours, serde, "{:?}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn what_is_signed_verifies_and_no_changed_byte_does(value in json(), at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let (env, key) = (Env::system(), SecretKey::from_bytes(vec![7; 32]));
        let mut payload = String::new();
        oracle(&Json::Object(vec![("p".to_owned(), value)]), &mut payload);
        let mut signer = Signer::new(&key, binding(), env.clone());
        let frame = signer.sign_json(FrameType::Error, "e1", payload.as_bytes()).unwrap();
        let verified = Verifier::new(&key, binding()).verify(&frame, Received::now(&env)).map(|frame| frame.payload.as_str().to_owned());
        prop_assert_eq!(verified.as_deref(), Ok(payload.as_str()));

        let mut changed = frame.clone();
        let place = at.index(changed.len());
        changed[place] ^= flip;
        let outcome = Verifier::new(&key, binding()).verify(&changed, Received::now(&env)).is_ok();
        // A change that leaves the meaning, such as another spelling of one number, leaves the signed bytes too.
        let same = signed_bytes(&changed, &binding()).ok() == signed_bytes(&frame, &binding()).ok();
        prop_assert!(!outcome || same);
    }

    #[test]
    fn the_replay_guard_agrees_with_a_model_that_remembers_everything(
        steps in prop::collection::vec((0_u64..12, 0_u8..6, -70_i64..70, 0_u64..100), 1..40))
    {
        let mut guard = ReplayGuard::new();
        let mut accepted: Vec<(u64, u8, u64)> = Vec::new();
        let (mut elapsed, start) = (1_000_u64, Timestamp::from_micros(1_800_000_000_000_000));
        for (seq, nonce, skew, pause) in steps {
            elapsed += pause;
            let now = start.plus(Duration::from_secs(elapsed));
            let ts = Timestamp::from_micros(now.as_micros() + skew * 1_000_000).to_string();
            let name = format!("n{nonce}");
            let stamp = Stamp { seq: Some(seq), nonce: Some(&name), ts: Some(&ts) };
            let received = Received { at: now, elapsed: Duration::from_secs(elapsed), held_up: Duration::ZERO };
            let outcome = guard.admit(stamp, received).is_ok();
            let last = accepted.iter().map(|(seq, _, _)| *seq).max().unwrap_or(0);
            let reused = accepted.iter().any(|(_, used, at)| *used == nonce && elapsed - at <= NONCE_MEMORY.as_secs());
            let fresh = skew.unsigned_abs() <= FRAME_SKEW_MAX.as_secs();
            prop_assert_eq!(outcome, seq > last && !reused && fresh);
            if outcome {
                accepted.push((seq, nonce, elapsed));
            }
            prop_assert_eq!(guard.last_seq(), accepted.iter().map(|(seq, _, _)| *seq).max().unwrap_or(0));
        }
    }
}

#[test]
fn the_guard_remembers_no_more_nonces_than_its_limit() {
    let mut guard = ReplayGuard::new();
    let at = Timestamp::from_micros(1_800_000_000_000_000);
    let ts = at.to_string();
    let received = Received {
        at,
        elapsed: Duration::from_secs(5),
        held_up: Duration::ZERO,
    };
    let admit = |guard: &mut ReplayGuard, seq: u64, nonce: &str| {
        let stamp = Stamp {
            seq: Some(seq),
            nonce: Some(nonce),
            ts: Some(&ts),
        };
        guard.admit(stamp, received).is_ok()
    };
    for seq in 1..=4097 {
        assert!(admit(&mut guard, seq, &format!("n{seq}")));
    }
    assert!(
        !admit(&mut guard, 4098, "n2"),
        "the 4096 newest are remembered"
    );
    assert!(admit(&mut guard, 4098, "n1"), "the oldest is forgotten");
}

#[test]
fn the_time_that_a_frame_lay_here_is_not_held_against_it_and_no_other_is() {
    let read_at = Timestamp::from_micros(1_800_000_000_000_000);
    let passes = |age_s: i64, held_up_s: u64| {
        let sent_at = Timestamp::from_micros(read_at.as_micros() - age_s * 1_000_000).to_string();
        let stamp = Stamp {
            seq: Some(1),
            nonce: Some("n"),
            ts: Some(&sent_at),
        };
        let received = Received {
            at: read_at,
            elapsed: Duration::from_secs(500),
            held_up: Duration::from_secs(held_up_s),
        };
        ReplayGuard::new().admit(stamp, received).is_ok()
    };
    assert!(passes(60, 0) && !passes(61, 0));
    assert!(passes(100, 40) && !passes(101, 40));
    assert!(
        passes(-60, 40) && !passes(-61, 40),
        "the future did not lie here"
    );
}

#[test]
fn hostile_json_is_read_or_refused_without_harm() {
    let deep = "[".repeat(1 << 20);
    let keys = format!(
        "{{{}}}",
        (0..100_000)
            .map(|n| format!("\"k{n}\":1"))
            .collect::<Vec<_>>()
            .join(",")
    );
    let digits = "9".repeat(1 << 20);
    assert!(canonical_value(deep.as_bytes()).is_err());
    assert!(canonical_value(keys.as_bytes()).is_ok());
    assert_eq!(canonical_value(digits.as_bytes()).unwrap().len(), 1 << 20);
}
