//! What must stay, and what form the output has.

use serde_json::{Value, json};
use z4j_core::redact::{Raw, Redactor, redact_text};

use super::corpus::{CANARY, INNOCENT, SECRET_KEYS, SHAPES};
use super::secrets::through;

/// Everything that the suite has, innocent or not.
fn all_inputs() -> Vec<String> {
    let mut inputs: Vec<String> = INNOCENT.map(str::to_owned).to_vec();
    inputs.extend(SECRET_KEYS.map(|key| json!({ key: CANARY, "n": [1, {"a": null}] }).to_string()));
    inputs.extend(SHAPES.map(|(text, _)| json!({ "note": text, "deep": [[text]] }).to_string()));
    inputs
}

pub(super) async fn innocent_json_stays_as_it_is(redactor: &dyn Redactor) {
    for input in INNOCENT {
        assert_eq!(
            through(redactor, input),
            input,
            "innocent data must come back byte for byte"
        );
    }
}

pub(super) async fn numbers_keep_their_spelling(redactor: &dyn Redactor) {
    let input = r#"{"password":"x9-secret-x9","n":[12345678901234567890,1.10,-0.0,1E+2]}"#;
    let output = through(redactor, input);
    assert!(
        output.contains("[12345678901234567890,1.10,-0.0,1E+2]"),
        "the numbers of {input} became {output}"
    );
}

pub(super) async fn output_is_json(redactor: &dyn Redactor) {
    for input in all_inputs() {
        let output = through(redactor, &input);
        serde_json::from_str::<Box<serde_json::value::RawValue>>(&output)
            .unwrap_or_else(|error| panic!("{input} became {output}: {error}"));
    }
}

pub(super) async fn redaction_is_idempotent(redactor: &dyn Redactor) {
    for input in all_inputs() {
        let once = through(redactor, &input);
        assert_eq!(through(redactor, &once), once, "{input}");
    }
}

pub(super) async fn redaction_is_a_function(redactor: &dyn Redactor) {
    for input in all_inputs() {
        assert_eq!(through(redactor, &input), through(redactor, &input));
    }
}

pub(super) async fn long_text_is_cut_on_a_character(redactor: &dyn Redactor) {
    let bytes_max = redactor.string_bytes_max();
    let long = "é ".repeat(bytes_max);
    let kept = redact_text(redactor, Raw::new(long.as_str()));
    // The mark that says that something was cut may come on top.
    assert!(
        kept.get().len() <= bytes_max + 64,
        "{} bytes are kept of a text, the limit is {bytes_max}",
        kept.get().len()
    );
    let output = through(redactor, &json!({ "note": long }).to_string());
    assert!(output.len() <= bytes_max + 128, "{} bytes", output.len());
}

pub(super) async fn may_touch_never_hides_a_change(redactor: &dyn Redactor) {
    for input in all_inputs() {
        // `redact_json` asks `may_touch` of the whole; one more member that must go makes it walk.
        let whole = format!(r#"{{"password":"{CANARY}","inner":{input}}}"#);
        let walked = through(redactor, &whole);
        let inner: &str = walked
            .split_once(r#""inner":"#)
            .map(|(_, inner)| inner.trim_end_matches('}'))
            .unwrap_or_else(|| panic!("{input}: the member beside a secret is gone: {walked}"));
        let alone = through(redactor, &input);
        assert_eq!(
            alone.trim_end_matches('}'),
            inner,
            "{input} is redacted otherwise when `may_touch` is asked about it alone"
        );
    }
}

pub(super) async fn hostile_input_is_answered(redactor: &dyn Redactor) {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let wide: Value = (0..20_000).map(|n| json!({ "k": n })).collect();
    let texts = [
        "a".repeat(1 << 20),
        "eyJ".repeat(300_000),
        "@.".repeat(400_000),
        "'\": ".repeat(200_000),
        "4111".repeat(200_000),
    ];
    for input in [deep, wide.to_string()] {
        through(redactor, &input);
    }
    for text in texts {
        through(redactor, &json!({ "note": text }).to_string());
    }
}

pub(super) async fn policy_has_a_name(redactor: &dyn Redactor) {
    let policy = redactor.policy();
    assert!(
        !policy.as_str().is_empty(),
        "the policy's name is stored beside every payload"
    );
    assert_eq!(policy, redactor.policy());
}
