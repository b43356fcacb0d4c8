//! The short cut of the redactor against its plain walk.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::use_self,
    reason = "a test program: a failure is a panic"
)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};
use z4j_core::redact::{
    DefaultRedactor, FieldContext, FieldDecision, FieldValue, MARKER, PolicyId, Raw, Redactor,
    Survey, redact_json,
};
use z4j_core::wire::{RawJson, canonical_value};

/// Asks the rules about every key and value, and never surveys the text.
#[derive(Debug)]
struct Plain(DefaultRedactor);

impl Redactor for Plain {
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

fn redacted(redactor: &dyn Redactor, input: &str) -> String {
    let raw = Raw::new(RawJson::parse(input).unwrap());
    redact_json(redactor, "", raw).into_inner().into_owned()
}

/// Members in the order given, so that the text is as an agent would spell it.
#[derive(Clone, Debug)]
enum Json {
    Leaf(Value),
    List(Vec<Json>),
    Members(Vec<(String, Json)>),
}

/// How text is spelled.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spelling {
    /// As the plain walk writes it.
    Tight,
    /// With spaces between tokens.
    Wide,
    /// With an escape for every character that is not ASCII, and for slashes and some letters.
    Escaped,
}

impl Json {
    fn write(&self, spelling: Spelling, out: &mut String) {
        let space = if spelling == Spelling::Wide { " " } else { "" };
        match self {
            Json::Leaf(Value::String(text)) => write_text(text, spelling, out),
            Json::Leaf(other) => out.push_str(&other.to_string()),
            Json::List(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(space);
                    element.write(spelling, out);
                }
                out.push_str(space);
                out.push(']');
            }
            Json::Members(members) => {
                out.push('{');
                let mut seen = Vec::new();
                for (key, value) in members {
                    if seen.contains(&key) {
                        continue;
                    }
                    out.push_str(if seen.is_empty() { "" } else { "," });
                    out.push_str(space);
                    seen.push(key);
                    write_text(key, spelling, out);
                    out.push_str(space);
                    out.push(':');
                    out.push_str(space);
                    value.write(spelling, out);
                }
                out.push_str(space);
                out.push('}');
            }
        }
    }

    fn text(&self, spelling: Spelling) -> String {
        let mut out = String::new();
        self.write(spelling, &mut out);
        out
    }
}

fn write_text(text: &str, spelling: Spelling, out: &mut String) {
    let plain = serde_json::to_string(text).unwrap();
    if spelling != Spelling::Escaped {
        out.push_str(&plain);
        return;
    }
    let mut units = [0; 2];
    let mut after_slash = false;
    for char in plain.chars() {
        if !after_slash && (!char.is_ascii() || matches!(char, 'k' | '@' | '4')) {
            for unit in char.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else if char == '/' {
            out.push_str("\\/");
        } else {
            out.push(char);
        }
        after_slash = char == '\\' && !after_slash;
    }
}

/// A secret of every shape that there is, and much that only looks like one.
const PIECES: &[&str] = &[
    "eyJhbGciOi.eyJzdWIi.c2ln",
    "eyJa.eyJb",
    "Bearer abcdefghijklmnop",
    "bearer  short",
    "sk_live_abcdefghijklmnopqrstuvwx",
    "rk_test_ABCDEFGHIJKLMNOPQRSTUVWX",
    "whsec_abcdefghijklmnopqrstuvwx",
    "xoxb-1234567890",
    "XOXP-abcdefghij",
    "https://hooks.slack.com/services/T1/B2/c3",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "ghu_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_",
    "AKIAABCDEFGHIJKLMNOP",
    "asiaabcdefghijklmnop",
    "AIzaabcdefghijklmnopqrstuvwxyz012345678",
    "SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789_-ABCDE",
    "SK0123456789abcdef0123456789abcdef",
    "xSK0123456789abcdef0123456789abcdef",
    "123-45-6789",
    "0123-45-67890",
    "\u{661}\u{662}\u{663}-\u{664}\u{665}-\u{666}\u{667}\u{668}\u{669}",
    "redis://:pw@h",
    "amqp2://bob:p/w@x",
    "postgres://app:hunt...",
    "http://host:8080/a@v2",
    "https://wiki/page",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "ann@example.org",
    "ann@host",
    "celery@web-1.example.org",
    "a@b.c",
    "@b.cc",
    "a@\u{17F}b.cc",
    "sk-proj-abcdefghijklmnopqrst",
    "s\u{212A}-proj",
    "s\u{212A}_live_abcdefghijklmnopqrstuvwx",
    "authorization: basic Zm9vOmI=",
    "Cookie: a=b",
    "--db-password hunter2",
    "--token",
    "mysql -uroot -phunter2",
    "glpat-abcdefghijklmnopqrst",
    "password='x'",
    "api_key = \"x\"",
    "SecretStr('x')",
    "password=SecretStr('x')",
    "?access_token=x",
    "host=a user=b",
    " password=c",
    "DB_PASSWORD=x",
    "SMTP_PASS=x",
    "export MY_SECRET=x",
    "AccountKey=Zm9v;uid=x",
    "4111111111111111",
    "4111 1111 1111 1111",
    "3782 822463 10005",
    "4111111111111112",
    "2026-11-23 10:00",
    "{'password': 'x'}",
    "{'auth': None}",
    "{\"api_key\": 5}",
    "'token': ",
    "(b'cookie', b'a=b')",
    "{'p\u{430}ssword': 1}",
    "routing_key",
    "token",
    "max_tokens",
    "monkey",
    "key",
    "api",
    "_",
    "-",
    ".",
    ":",
    "'",
    "\"",
    "\\",
    "/",
    "\n",
    "\\n",
    "\\u0040",
    "%40",
    "%",
    "=",
    " ",
    "@",
    "x",
    "4",
    "n",
    "u0040",
    "\u{e9}",
    "\u{438}\u{43c}\u{44f}",
    "\u{200B}",
    "\u{FF50}\u{FF57}\u{FF44}",
    "\u{1F600}",
    "\u{1D7D9}",
    "\u{65e5}\u{672c}",
    "ZXlKaGJHY2lPaS5leUp6ZFdJaS5jMmxu",
    "eyJwYXNzd29yZCI6IngifQ",
    "dXNlcjpodW50ZXIyQGhvc3QuZXhhbXBsZQ==",
    "aGVsbG8gd29ybGQsIHRoaXMgaXMgZmluZQ==",
    "7f3b9c0a55d24e1f8a6b7c8d9e0f1a2b",
];

fn text() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 0..5)
        .prop_map(|pieces| pieces.concat());
    prop_oneof![
        4 => pieces.clone(),
        2 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => pieces.clone().prop_map(|text| STANDARD.encode(text)),
        1 => pieces.clone().prop_map(|text| URL_SAFE_NO_PAD.encode(text)),
        1 => pieces.prop_map(|text| percent(&text)),
        1 => "[a-z_]{0,10}",
        1 => any::<String>(),
        1 => (250_usize..264, any::<bool>()).prop_map(|(length, quoted)| {
            if quoted { "k\"\\".repeat(length / 3) } else { "k".repeat(length) }
        }),
    ]
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => text(),
        2 => "[a-z_]{1,8}",
        2 => prop::sample::select(vec![
            "password", "api_key", "routing_key", "auth", "authTokens", "worker", "token", "token_count", "DB-PASS",
            "session_id", "p\u{430}ssword", "sshKey", "x-api-key", "mail", "user", "priv\u{AD}ate_key", "master_x_key",
        ]).prop_map(str::to_owned),
    ]
}

fn tree() -> impl Strategy<Value = Json> {
    let number = prop::sample::select(vec!["0", "-1", "4111111111111111", "1.50", "1e5", "123"]);
    let leaf = prop_oneof![
        1 => Just(Json::Leaf(Value::Null)),
        1 => any::<bool>().prop_map(|value| Json::Leaf(value.into())),
        1 => number.prop_map(|number| Json::Leaf(serde_json::from_str(number).unwrap())),
        5 => text().prop_map(|text| Json::Leaf(text.into())),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::List),
            prop::collection::vec((key(), inner), 0..5).prop_map(Json::Members),
        ]
    })
}

fn both() -> [fn() -> DefaultRedactor; 2] {
    [DefaultRedactor::strict, DefaultRedactor::default]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_short_cut_gives_what_the_plain_walk_gives_byte_for_byte(root in tree()) {
        let input = root.text(Spelling::Tight);
        for make in both() {
            prop_assert_eq!(redacted(&make(), &input), redacted(&Plain(make()), &input));
        }
    }

    #[test]
    fn the_short_cut_says_the_same_of_text_in_other_spellings(root in tree()) {
        for spelling in [Spelling::Wide, Spelling::Escaped] {
            let input = root.text(spelling);
            for make in both() {
                let (short, plain) = (redacted(&make(), &input), redacted(&Plain(make()), &input));
                prop_assert_eq!(canonical_value(short.as_bytes()).unwrap(), canonical_value(plain.as_bytes()).unwrap(), "{}", input);
            }
        }
    }

    #[test]
    fn any_text_is_judged_alike_by_the_short_cut_and_the_plain_walk(text in text()) {
        for value in [json!([text]), json!({ "note": text }), json!({ text.as_str(): "v" })] {
            let input = value.to_string();
            for make in both() {
                prop_assert_eq!(redacted(&make(), &input), redacted(&Plain(make()), &input));
            }
        }
    }
}

#[test]
fn each_piece_is_judged_alike_in_every_place_and_spelling() {
    for first in PIECES {
        for text in PIECES.iter().map(|second| format!("{first}{second}")) {
            for input in [
                json!([text]).to_string(),
                Json::List(vec![Json::Leaf(text.into())]).text(Spelling::Escaped),
            ] {
                let strict = DefaultRedactor::strict;
                let (short, plain) = (
                    redacted(&strict(), &input),
                    redacted(&Plain(strict()), &input),
                );
                assert_eq!(
                    short == r#"["[REDACTED]"]"#,
                    plain == r#"["[REDACTED]"]"#,
                    "{input}"
                );
            }
        }
    }
}

#[test]
fn the_pieces_hold_secrets_and_innocent_text() {
    let strict = DefaultRedactor::strict();
    let hidden = PIECES
        .iter()
        .filter(|piece| redacted(&strict, &json!([piece]).to_string()).contains(MARKER));
    let hidden = hidden.count();
    assert!(
        hidden > 40 && PIECES.len() - hidden > 40,
        "{hidden} of {}",
        PIECES.len()
    );
}

#[test]
fn masked_values_leave_the_rest_as_it_was_received() {
    let input = r#"{ "mail": "ann@example.org", "n": [1.0, 1E5], "token" : "x",  "cvv":5, "max_tokens": 5 }"#;
    assert_eq!(
        redacted(&DefaultRedactor::strict(), input),
        r#"{ "mail": "[REDACTED]", "n": [1.0, 1E5], "token" : "[REDACTED]",  "cvv":"[REDACTED]", "max_tokens": 5 }"#
    );
}

#[test]
fn places_that_are_no_places_hide_the_whole_payload() {
    #[derive(Debug)]
    struct Misplaced(std::ops::Range<usize>, std::ops::Range<usize>);
    impl Redactor for Misplaced {
        fn policy(&self) -> PolicyId {
            PolicyId::new("misplaced-1")
        }
        fn decide(&self, _: &FieldContext<'_>, _: &FieldValue<'_>) -> FieldDecision {
            FieldDecision::Keep
        }
        fn string_bytes_max(&self) -> usize {
            8192
        }
        fn may_touch(&self, _: &str) -> bool {
            true
        }
        fn survey(&self, _: &str) -> Survey {
            Survey::Mask(vec![self.0.clone(), self.1.clone()])
        }
    }
    let masked = format!("\"{MARKER}\"");
    let backwards = std::ops::Range { start: 8, end: 7 };
    for (first, second) in [(5..8, 1..4), (1..4, 3..6), (1..4, 8..90), (1..4, backwards)] {
        assert_eq!(
            redacted(&Misplaced(first, second), r#"["a","b","c"]"#),
            masked
        );
    }
}
