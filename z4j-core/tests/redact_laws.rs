//! Laws of the redactor: planted secrets are gone, the short cut changes nothing, failures hide everything.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::use_self,
    reason = "a test program: a failure is a panic"
)]

use proptest::prelude::*;
use serde_json::{Value, json};
use z4j_core::redact::{
    DefaultRedactor, FieldContext, FieldDecision, FieldValue, MARKER, PolicyId, Raw, Redactor,
    redact_json, redact_text, redact_value,
};
use z4j_core::wire::{RawJson, canonical_value};

/// Walks everything, whatever the inner redactor says of the text as a whole.
#[derive(Debug)]
struct AlwaysWalk(DefaultRedactor);

impl Redactor for AlwaysWalk {
    fn policy(&self) -> PolicyId {
        self.0.policy()
    }
    fn decide(&self, field: &FieldContext<'_>, value: &FieldValue<'_>) -> FieldDecision {
        self.0.decide(field, value)
    }
    fn string_bytes_max(&self) -> usize {
        self.0.string_bytes_max()
    }
    fn may_touch(&self, _json: &str) -> bool {
        true
    }
}

/// Answers every question alike.
#[derive(Debug)]
struct Fixed(Option<FieldDecision>);

impl Redactor for Fixed {
    fn policy(&self) -> PolicyId {
        PolicyId::new("fixed-1")
    }
    fn decide(&self, _field: &FieldContext<'_>, value: &FieldValue<'_>) -> FieldDecision {
        match (self.0, value) {
            (_, FieldValue::Name(_) | FieldValue::Object | FieldValue::Array) => {
                FieldDecision::Keep
            }
            (Some(decision), _) => decision,
            (None, _) => panic!("a redactor of somebody else broke"),
        }
    }
    fn string_bytes_max(&self) -> usize {
        8192
    }
    fn may_touch(&self, _json: &str) -> bool {
        true
    }
}

fn redacted(redactor: &dyn Redactor, input: &str) -> String {
    let raw = Raw::new(RawJson::parse(input).unwrap());
    redact_json(redactor, "t", raw).into_inner().into_owned()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{0,10}",
        "[ -~]{0,30}",
        (250_usize..264).prop_map(|chars| "k".repeat(chars)),
        any::<String>(),
        prop::sample::select(vec![
            "token",
            "api_key",
            "max_tokens",
            "author",
            "Bearer abc",
            "a@b",
            "a@b.co",
            "AKIA",
            "123-45-6789",
            "sk_live_",
            "redis://:pw@h",
            "worker",
            "w1@host.example.com",
            "eyJa.b.c",
            "{\"password\": \"x\"}",
            "{'auth': 'x'}",
            "'token': ",
            "': '",
            "4111 1111 1111 1111",
            "4111111111111111",
            " 4111-1111-1111-1111",
            "DB_PASSWORD=x",
            "host=a password=b",
            "mysql -px",
            "pässword",
        ])
        .prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..5)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Text that must not survive, and is found by shape wherever it stands.
fn canary() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z0-9]{16}".prop_map(|tail| format!("AKIA{tail}")),
        "[A-Za-z0-9]{36}".prop_map(|tail| format!("ghp_{tail}")),
        "[a-z]{5}[0-9]{6}".prop_map(|name| format!("{name}@canary.example")),
        "[A-Za-z0-9]{24}".prop_map(|tail| format!("sk_live_{tail}")),
        "[a-z0-9]{12}".prop_map(|tail| format!("amqp://svc:{tail}@rabbit")),
    ]
}

/// Plants `secret` at the `place`-th container, as a value, inside text, or as a key.
fn plant(value: &mut Value, place: usize, secret: &str, way: u8) -> bool {
    fn walk(value: &mut Value, left: &mut usize, secret: &str, way: u8) -> bool {
        if !value.is_array() && !value.is_object() {
            return false;
        }
        if *left == 0 {
            let planted = match way % 3 {
                0 => Value::from(secret),
                1 => json!({ "note": format!("before {secret} after") }),
                _ => json!({ secret: 1 }),
            };
            match value {
                Value::Array(elements) => elements.push(planted),
                Value::Object(members) => drop(members.insert("planted".to_owned(), planted)),
                _ => {}
            }
            return true;
        }
        *left -= 1;
        match value {
            Value::Array(elements) => elements
                .iter_mut()
                .any(|element| walk(element, left, secret, way)),
            Value::Object(members) => members
                .values_mut()
                .any(|member| walk(member, left, secret, way)),
            _ => false,
        }
    }
    walk(value, &mut { place }, secret, way)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn planted_canaries_are_gone(mut root in value(), place in 0_usize..6, secret in canary(), way in any::<u8>()) {
        if !plant(&mut root, place, &secret, way) {
            root = json!([secret]);
        }
        for redactor in [DefaultRedactor::default(), DefaultRedactor::strict()] {
            let out = redacted(&redactor, &root.to_string());
            prop_assert!(!out.contains(&secret), "{} in {}", secret, out);
            prop_assert!(serde_json::from_str::<Value>(&out).is_ok());
        }
    }

    #[test]
    fn a_value_under_a_secret_key_is_gone(secret in "[a-z]{20}", deep in value(), key in prop::sample::select(vec![
        "db_password", "DATABASE-PASSWORD", "awsSecretAccessKey", "passphrase", "private_key", "x-auth-token", "token"]))
    {
        let root = json!({ "kwargs": { key: { "a": [secret, 1], "b": deep } } });
        let out = redacted(&DefaultRedactor::strict(), &root.to_string());
        prop_assert!(!out.contains(&secret), "{}", out);
    }

    #[test]
    fn leaving_text_unwalked_is_the_same_as_walking_it(root in value()) {
        let input = root.to_string();
        for strict in [false, true] {
            let make = || if strict { DefaultRedactor::strict() } else { DefaultRedactor::default() };
            let short = redacted(&make(), &input);
            let long = redacted(&AlwaysWalk(make()), &input);
            prop_assert_eq!(canonical_value(short.as_bytes()).unwrap(), canonical_value(long.as_bytes()).unwrap());
        }
    }

    #[test]
    fn redacting_again_changes_nothing(root in value()) {
        let redactor = DefaultRedactor::strict();
        let once = redacted(&redactor, &root.to_string());
        let twice = redacted(&redactor, &once);
        prop_assert_eq!(canonical_value(once.as_bytes()).unwrap(), canonical_value(twice.as_bytes()).unwrap());
    }
}

#[test]
fn json_without_secrets_is_not_copied() {
    let input = r#"{ "task_name": "app.add", "args": [1, 2.50, 1E3], "kwargs": {} }"#;
    let kept = redact_json(
        &DefaultRedactor::strict(),
        "",
        Raw::new(RawJson::parse(input).unwrap()),
    );
    assert!(matches!(kept.get(), std::borrow::Cow::Borrowed(_)));
    assert_eq!(&**kept.get(), input);
}

#[test]
fn numbers_keep_their_spelling_when_text_is_rewritten() {
    let out = redacted(
        &DefaultRedactor::strict(),
        r#"{"password":1,"n":[1.0,12345678901234567890123,1E5]}"#,
    );
    assert_eq!(
        out,
        r#"{"password":"[REDACTED]","n":[1.0,12345678901234567890123,1E5]}"#
    );
}

#[test]
fn a_redactor_that_panics_hides_the_whole_payload() {
    let out = redacted(&Fixed(None), r#"{"a":"secret"}"#);
    assert_eq!(out, format!("\"{MARKER}\""));
    assert_eq!(
        &**redact_text(&Fixed(None), Raw::new("secret")).get(),
        MARKER
    );
}

#[test]
fn dropped_members_go_and_hashed_ones_can_be_compared() {
    let drop = Fixed(Some(FieldDecision::Drop));
    assert_eq!(
        redacted(&drop, r#"{"a":1,"b":["x",{"c":2}]}"#),
        r#"{"b":[{}]}"#
    );
    let hash = redact_value(
        &Fixed(Some(FieldDecision::Hash)),
        "",
        Raw::new(json!(["x", "x", "y"])),
    );
    let hashes = hash.get().as_array().unwrap().clone();
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
}

#[test]
fn cut_secret_is_found_by_the_strict_policy_before_the_cut() {
    let secret = "AKIAABCDEFGHIJKLMNOP";
    for lead in (8192 - secret.len())..8192 + 10 {
        let input = serde_json::to_string(&format!("{} {secret}", "x".repeat(lead))).unwrap();
        assert_eq!(
            redacted(&DefaultRedactor::strict(), &input),
            format!("\"{MARKER}\""),
            "{lead}"
        );
    }
}

#[test]
fn printed_dictionaries_and_command_lines_are_searched_but_source_lines_are_kept() {
    let strict = DefaultRedactor::strict();
    for secret in [
        r#"{'password': 'hunter2', 'n': 1}"#,
        r#"{"api_key": "abc"}"#,
        r#"{"body": "{\"api_key\": \"abc\"}"}"#,
        "connect(password='hunter2')",
        "https://host/path?x=1&access_token=abc",
        "host=db;password=hunter2",
        "run --token abc",
        "export AWS_SECRET_ACCESS_KEY=abc",
        "ftp://bob:pw@host/x",
        "Authorization: Basic Zm9vOmJhcg==",
    ] {
        assert_eq!(
            &**redact_text(&strict, Raw::new(secret)).get(),
            MARKER,
            "{secret}"
        );
    }
    for plain in [
        "  File \"app.py\", line 3, in login\n    check(user, password=password)\nValueError: invalid token",
        "unexpected token: )",
        "https://host/path?page=2",
        "{'count': 3, 'author': 'x'}",
    ] {
        assert_eq!(&**redact_text(&strict, Raw::new(plain)).get(), plain);
    }
}

#[test]
fn a_node_name_stays_only_as_the_worker_of_an_event() {
    let strict = DefaultRedactor::strict();
    let kept = r#"{"worker":"celery@host.example.com"}"#;
    assert_eq!(redacted(&strict, kept), kept);
    let deeper = r#"{"kwargs":{"worker":"celery@host.example.com"}}"#;
    assert_eq!(
        redacted(&strict, deeper),
        r#"{"kwargs":{"worker":"[REDACTED]"}}"#
    );
}

#[test]
fn nothing_secret_is_printed_by_debug() {
    let raw = Raw::new("hunter2");
    assert_eq!(format!("{raw:?}"), "Raw(..)");
    let json = RawJson::parse(r#"{"password":"hunter2"}"#).unwrap();
    assert!(!format!("{json:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn leaving_any_key_unwalked_is_the_same_as_walking_it(
        parts in prop::collection::vec(prop::sample::select(vec![
            "pass", "word", "Word", "_", "-", ".", "1", "token", "s", "Count", "api", "Key", "se", "cret", "x", "auth",
            "session", "id", "card", "number", "pwd", "bearer", "cred", "ential", "social", "Security",
            "private", "access", "account", "encryption", "signing", "master", "ssh", "'",
        ]), 1..6), number in any::<bool>())
    {
        let value = if number { json!(5) } else { json!("v") };
        let input = json!({ parts.concat(): value }).to_string();
        prop_assert_eq!(
            redacted(&DefaultRedactor::strict(), &input),
            redacted(&AlwaysWalk(DefaultRedactor::strict()), &input)
        );
    }
}
