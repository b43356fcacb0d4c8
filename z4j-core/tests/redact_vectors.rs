//! Every redaction vector of the protocol pack.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::use_self,
    reason = "a test program: a failure is a panic"
)]

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use z4j_core::redact::{
    DefaultRedactor, Raw, RedactConfig, Redactor, error_excerpt, mask_url_password, redact_json,
};
use z4j_core::wire::RawJson;

#[derive(Deserialize)]
struct Pack {
    marker: String,
    vectors: Vec<Vector>,
    error_excerpt: Vec<Excerpt>,
    url_password: Vec<Url>,
    bad_patterns: Vec<BadPattern>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    config: Option<Config>,
    input: Box<RawValue>,
    output: Box<RawValue>,
}

#[derive(Deserialize)]
struct Config {
    default_patterns_enabled: Option<bool>,
    #[serde(default)]
    extra_key_patterns: Vec<String>,
    #[serde(default)]
    extra_value_patterns: Vec<String>,
    max_value_bytes: Option<usize>,
}

impl From<Config> for RedactConfig {
    fn from(config: Config) -> Self {
        let usual = Self::default();
        Self {
            default_patterns_enabled: config
                .default_patterns_enabled
                .unwrap_or(usual.default_patterns_enabled),
            extra_key_patterns: config.extra_key_patterns,
            extra_value_patterns: config.extra_value_patterns,
            max_value_bytes: config.max_value_bytes.unwrap_or(usual.max_value_bytes),
        }
    }
}

#[derive(Deserialize)]
struct Excerpt {
    name: String,
    input: Value,
    output: String,
}

#[derive(Deserialize)]
struct Url {
    input: String,
    output: String,
}

#[derive(Deserialize)]
struct BadPattern {
    extra_key_pattern: String,
}

fn pack() -> Pack {
    serde_json::from_str(include_str!("data/redaction.json")).unwrap()
}

fn redacted(redactor: &dyn Redactor, input: &str) -> String {
    let raw = Raw::new(RawJson::parse(input).unwrap());
    redact_json(redactor, "t", raw).into_inner().into_owned()
}

/// One spelling for equal data with keys in the same order: rewritten by a redactor that keeps everything.
fn shape(json: &str) -> String {
    let keep_all = DefaultRedactor::with_config(&RedactConfig {
        default_patterns_enabled: false,
        max_value_bytes: usize::MAX,
        extra_value_patterns: vec!["no such text anywhere".to_owned()],
        ..RedactConfig::default()
    });
    redacted(&keep_all.unwrap(), &raw_unicode(json))
}

/// The vectors are escaped ASCII; ours are raw UTF-8. Both are read and compared as the same spelling.
fn raw_unicode(json: &str) -> String {
    let mut out = String::new();
    let mut rest = json;
    while let Some(at) = rest.find("\\u") {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let mut taken = 6;
        let mut unit = format!("\"{}\"", &tail[..6]);
        if serde_json::from_str::<String>(&unit).is_err() {
            taken = 12;
            unit = format!("\"{}\"", &tail[..12]);
        }
        let text: String = serde_json::from_str(&unit).unwrap();
        out.push_str(&text);
        rest = &tail[taken..];
    }
    out.push_str(rest);
    out
}

#[test]
fn every_vector_comes_out_as_the_protocol_says() {
    let pack = pack();
    assert_eq!(pack.marker, z4j_core::redact::MARKER);
    assert_eq!(pack.vectors.len(), 125);
    for vector in pack.vectors {
        let config = vector.config.map(RedactConfig::from).unwrap_or_default();
        let redactor = DefaultRedactor::with_config(&config).unwrap();
        let out = redacted(&redactor, vector.input.get());
        assert_eq!(shape(&out), shape(vector.output.get()), "{}", vector.name);
        // Again: nothing more is found, and nothing is cut twice.
        assert_eq!(
            shape(&redacted(&redactor, &out)),
            shape(&out),
            "{} twice",
            vector.name
        );
    }
}

#[test]
fn the_strict_policy_hides_at_least_what_the_protocol_hides() {
    for vector in pack().vectors {
        if vector.config.is_some() {
            continue;
        }
        let marks = |json: &str| json.matches("[REDACTED]").count();
        let out = redacted(&DefaultRedactor::strict(), vector.input.get());
        assert!(
            marks(&out) >= marks(vector.output.get()),
            "{}: {out}",
            vector.name
        );
    }
}

#[test]
fn error_excerpts_are_the_redacted_end_of_the_text() {
    for vector in pack().error_excerpt {
        let text = match &vector.input {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let kept = error_excerpt(&DefaultRedactor::default(), Raw::new(&text));
        assert_eq!(kept.get(), &vector.output, "{}", vector.name);
    }
}

#[test]
fn passwords_in_urls_are_starred() {
    for vector in pack().url_password {
        assert_eq!(mask_url_password(&vector.input), vector.output);
    }
}

#[test]
fn bad_patterns_are_refused() {
    for vector in pack().bad_patterns {
        let config = RedactConfig {
            extra_key_patterns: vec![vector.extra_key_pattern.clone()],
            ..RedactConfig::default()
        };
        let refused = DefaultRedactor::with_config(&config);
        assert!(refused.is_err(), "{}", vector.extra_key_pattern);
    }
}
