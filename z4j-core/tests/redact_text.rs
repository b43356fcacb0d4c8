//! What the strict policy finds in text, each shape beside text that only looks like it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test program: a failure is a panic"
)]

use z4j_core::redact::{DefaultRedactor, MARKER, Raw, RedactConfig, redact_json, redact_text};
use z4j_core::wire::RawJson;

/// The text alone, and as a value of JSON, where it may take the short cut.
#[track_caller]
fn assert_kept(text: &str, kept: bool) {
    let strict = DefaultRedactor::strict();
    let expected = if kept { text } else { MARKER };
    assert_eq!(&**redact_text(&strict, Raw::new(text)).get(), expected);
    let json = serde_json::to_string(&[text]).unwrap();
    let out = redact_json(&strict, "", Raw::new(RawJson::parse(&json).unwrap()));
    let out: Vec<String> = serde_json::from_str(out.get()).unwrap();
    assert_eq!(out, [expected], "{text} in JSON");
}

#[track_caller]
fn hidden(texts: &[&str]) {
    for text in texts {
        assert_kept(text, false);
        assert_kept(&format!("h\u{e9} {text}"), false);
    }
}

#[track_caller]
fn kept(texts: &[&str]) {
    for text in texts {
        assert_kept(text, true);
        assert_kept(&format!("h\u{e9} {text}"), true);
    }
}

#[test]
fn members_of_printed_dictionaries_are_judged_by_their_keys() {
    hidden(&[
        "{'Authorization': 'Basic dXNlcjpwYXNz'}",
        "{'authorization': 'Token 9944b09199c62bcf'}",
        "{'SECRET_KEY': 'django-insecure-abc'}",
        "{'Cookie': 'sessionid=38afes7a8'}",
        "{'Set-Cookie': 'id=a3fWa'}",
        "{'password1': 'hunter2'}",
        "{'passwords': ['hunter2', 'x']}",
        "{'password_hash': 'pbkdf2_sha256$1'}",
        "{'private_key_pem': 'MIIE'}",
        "{'auth': ('bob', 'hunter2')}",
        "{'cvv': '123'}",
        "{'cvv': 123}",
        "{'smtp_pass': 'hunter2'}",
        "{'sessionid': 'abc'}",
        "{'a': 1, 'db': {'DB_PASS' : b'hunter2'}}",
        "{'password': ' hunter2'}",
        r#"{"auth": "x"}"#,
        r#"{\"client_secret\": \"x\"}"#,
        r#"{\\\"api-key\\\": \\\"x\\\"}"#,
        "(('x', 1), {'csrftoken': 'x'})",
        "('Authorization', 'Basic dXNlcjpwYXNz')",
        "(b'cookie', b'a=b')",
    ]);
    kept(&[
        "{'token_count': 5}",
        "{'max_tokens': 4096, 'tokens': 12}",
        "{'author': 'x', 'count': 3}",
        "{'auth_method': 'ldap', 'auth': ''}",
        "{'pass': 3, 'fail': 0}",
        "{'password': ''}",
        "{'primary_key': 'x', 'monkey': 'y'}",
        "KeyError: 'password'",
        "field 'password':",
        "(b'content-type', b'a=b')",
        "the cookie, a=b",
    ]);
}

#[test]
fn keys_of_a_person_are_found_in_printed_dictionaries_too() {
    let config = RedactConfig {
        extra_key_patterns: vec!["customer_.*".to_owned()],
        ..RedactConfig::default()
    };
    let redactor = DefaultRedactor::strict_with_config(&config).unwrap();
    let text = |text| redact_text(&redactor, Raw::new(text)).into_inner();
    assert_eq!(text("{'customer_ref': 'x'}"), MARKER);
    assert_eq!(text("{'my_customer_ref': 'x'}"), "{'my_customer_ref': 'x'}");
}
