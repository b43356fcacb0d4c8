//! What must be gone.

use serde_json::json;
use z4j_core::redact::{Raw, Redactor, redact_json, redact_text};
use z4j_core::wire::RawJson;

use super::corpus::{CANARY, SECRET_KEYS, SHAPES};

pub(super) fn through(redactor: &dyn Redactor, json: &str) -> String {
    let raw = RawJson::parse(json).expect("the suite's own input is JSON");
    redact_json(redactor, "suite.task", Raw::new(raw))
        .get()
        .to_string()
}

#[track_caller]
fn is_gone(secret: &str, input: &str, output: &str) {
    assert!(
        !output.contains(secret),
        "broken promise: nothing that looks like a secret is kept. {input} became {output}, which still holds {secret}"
    );
}

pub(super) async fn secret_keys_lose_their_values(redactor: &dyn Redactor) {
    for key in SECRET_KEYS {
        let input = json!({ key: CANARY, "beside": 1 }).to_string();
        let output = through(redactor, &input);
        is_gone(CANARY, &input, &output);
        assert!(
            output.contains(r#""beside":1"#),
            "{input} became {output}: what stands beside a secret must stay"
        );
    }
}

pub(super) async fn secrets_are_found_at_any_depth(redactor: &dyn Redactor) {
    let mut value = json!({ "password": CANARY });
    for depth in 0..24 {
        value = if depth % 2 == 0 {
            json!([1, value, "x"])
        } else {
            json!({ "args": value, "n": depth })
        };
        let input = value.to_string();
        is_gone(CANARY, &input, &through(redactor, &input));
    }
    let input = json!({ "password": { "old": [CANARY], "new": { "value": CANARY } } }).to_string();
    is_gone(CANARY, &input, &through(redactor, &input));
}

pub(super) async fn shapes_of_secrets_are_masked(redactor: &dyn Redactor) {
    for (text, secret) in SHAPES {
        for value in [
            json!({ "note": text }),
            json!({ "args": [1, text] }),
            json!(text),
        ] {
            let input = value.to_string();
            is_gone(secret, &input, &through(redactor, &input));
        }
        let input = json!({ "note": format!("before {text} after") }).to_string();
        is_gone(secret, &input, &through(redactor, &input));
    }
}

pub(super) async fn secrets_in_plain_text_are_masked(redactor: &dyn Redactor) {
    for (text, secret) in SHAPES {
        let message = format!("could not connect: {text}");
        let kept = redact_text(redactor, Raw::new(message.as_str()));
        is_gone(secret, &message, kept.get());
    }
}

pub(super) async fn secret_across_the_cut_is_masked(redactor: &dyn Redactor) {
    let (text, secret) = SHAPES[0];
    let head = secret.get(..8).expect("the sample is longer");
    for before in [1, text.len() / 2, text.len() - 4] {
        let fill = redactor.string_bytes_max().saturating_sub(before);
        let long = format!("{} {text}", "x".repeat(fill));
        let input = json!({ "note": long }).to_string();
        let output = through(redactor, &input);
        assert!(
            !output.contains("eyJhbGciOi") && !output.contains(head),
            "a secret that reaches over the limit of {} bytes was cut in two and its first part kept",
            redactor.string_bytes_max()
        );
    }
}
