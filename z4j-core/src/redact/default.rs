//! The redactor that is used unless a program brings its own.

use std::sync::LazyLock;

use regex::Regex;

use super::config::{PatternError, RedactConfig, compile};
use super::keys::KeyRules;
use super::printed::printed_members;
use super::text::kept_part;
use super::values::ValueRules;
use super::{FieldContext, FieldDecision, FieldValue, PolicyId, Redactor};
use crate::limits::{EXTRA_PATTERN_KEY_CHARS_MAX, KEY_CHARS_MAX, VALUE_DEPTH_MAX};

/// The rules of wire §9, or with [`DefaultRedactor::strict`] more.
#[derive(Debug)]
pub struct DefaultRedactor {
    rules: Option<&'static Rules>,
    extra_keys: Vec<Regex>,
    extra_values: Vec<Regex>,
    string_bytes_max: usize,
    strict: bool,
}

#[derive(Debug)]
struct Rules {
    keys: KeyRules,
    values: ValueRules,
}

#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and every test compiles them"
)]
fn built_in(strict: bool) -> Rules {
    Rules {
        keys: KeyRules::new(strict).expect("the built-in key patterns compile"),
        values: ValueRules::new(strict).expect("the built-in value patterns compile"),
    }
}

static PROTOCOL: LazyLock<Rules> = LazyLock::new(|| built_in(false));
static STRICT: LazyLock<Rules> = LazyLock::new(|| built_in(true));

impl Default for DefaultRedactor {
    /// Exactly the rules of the protocol, as published agents apply them.
    fn default() -> Self {
        Self {
            rules: Some(&PROTOCOL),
            extra_keys: Vec::new(),
            extra_values: Vec::new(),
            string_bytes_max: RedactConfig::default().max_value_bytes,
            strict: false,
        }
    }
}

impl DefaultRedactor {
    /// What a brain applies before it stores: the protocol's rules, secret words anywhere in a key, more shapes of
    /// secrets in text, and text is searched before it is cut, so that a cut cannot hide a secret.
    ///
    /// Counts and switches named after tokens (`max_tokens: 4096`, `token_count`) stay, and so does a Celery node
    /// name (`celery@host.example.com`) as the `worker` of an event, although it is shaped like an e-mail address.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            rules: Some(&STRICT),
            strict: true,
            ..Self::default()
        }
    }

    /// The protocol's rules with settings of a person.
    ///
    /// # Errors
    /// [`PatternError`] for the first pattern that cannot be used.
    pub fn with_config(config: &RedactConfig) -> Result<Self, PatternError> {
        Self::default().configured(config)
    }

    /// The strict rules with settings of a person.
    ///
    /// # Errors
    /// As [`DefaultRedactor::with_config`].
    pub fn strict_with_config(config: &RedactConfig) -> Result<Self, PatternError> {
        Self::strict().configured(config)
    }

    fn configured(self, config: &RedactConfig) -> Result<Self, PatternError> {
        Ok(Self {
            rules: self.rules.filter(|_| config.default_patterns_enabled),
            extra_keys: compile(&config.extra_key_patterns, true)?,
            extra_values: compile(&config.extra_value_patterns, false)?,
            string_bytes_max: config.max_value_bytes,
            strict: self.strict,
        })
    }

    fn is_secret_key(&self, key: &str, value: &FieldValue<'_>) -> bool {
        if self.rules.is_none() && self.extra_keys.is_empty() {
            return false;
        }
        let long = |chars_max: usize| key.len() > chars_max && key.chars().count() > chars_max;
        if long(KEY_CHARS_MAX) {
            return true;
        }
        if self.rules.is_some_and(|rules| rules.keys.hit(key, value)) {
            return true;
        }
        let extra = !self.extra_keys.is_empty();
        extra
            && (long(EXTRA_PATTERN_KEY_CHARS_MAX)
                || self.extra_keys.iter().any(|pattern| pattern.is_match(key)))
    }

    /// Whether a dictionary printed in `text` has a member whose key is secret.
    fn prints_a_secret_member(&self, text: &str) -> bool {
        printed_members(text).any(|(key, value)| {
            self.rules.is_some_and(|rules| rules.keys.hit(key, &value))
                || self.extra_keys.iter().any(|pattern| pattern.is_match(key))
        })
    }

    fn is_secret_text(&self, text: &str) -> bool {
        let seen = if self.strict {
            text.into()
        } else {
            kept_part(text, self.string_bytes_max)
        };
        self.rules.is_some_and(|rules| rules.values.hit(&seen))
            || (self.strict && self.prints_a_secret_member(&seen))
            || self
                .extra_values
                .iter()
                .any(|pattern| pattern.is_match(&seen))
    }
}

impl Redactor for DefaultRedactor {
    fn policy(&self) -> PolicyId {
        let custom = !self.extra_keys.is_empty() || !self.extra_values.is_empty();
        PolicyId::new(match (self.rules, self.strict, custom) {
            (None, _, _) => "none-1",
            (Some(_), true, false) => "strict-2",
            (Some(_), true, true) => "strict-2+custom",
            (Some(_), false, false) => "protocol-2",
            (Some(_), false, true) => "protocol-2+custom",
        })
    }

    fn decide(&self, field: &FieldContext<'_>, value: &FieldValue<'_>) -> FieldDecision {
        let secret_key = field.key.is_some_and(|key| self.is_secret_key(key, value));
        let secret = secret_key
            || match value {
                FieldValue::Text(text) if self.strict && is_node_name(field, text) => false,
                FieldValue::Text(text) | FieldValue::Name(text) => self.is_secret_text(text),
                _ => false,
            };
        if secret {
            FieldDecision::Mask
        } else {
            FieldDecision::Keep
        }
    }

    fn string_bytes_max(&self) -> usize {
        self.string_bytes_max
    }

    fn may_touch(&self, json: &str) -> bool {
        let plain = json.len() <= self.string_bytes_max
            && json.is_ascii()
            && !json.as_bytes().contains(&b'\\')
            && opened(json) < VALUE_DEPTH_MAX
            && self.extra_keys.is_empty()
            && self.extra_values.is_empty();
        !plain
            || self
                .rules
                .is_some_and(|rules| rules.values.may_hit_json(json))
    }
}

/// An upper bound of how deep the text nests.
fn opened(json: &str) -> usize {
    json.bytes().filter(|byte| byte | 0x20 == b'{').count()
}

/// `name@host` as the worker of an event: what Celery calls its nodes.
fn is_node_name(field: &FieldContext<'_>, text: &str) -> bool {
    let sound = |part: &str| {
        !part.is_empty()
            && part.len() <= 255
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    field.key == Some("worker")
        && field.depth == 1
        && text
            .split_once('@')
            .is_some_and(|(name, host)| sound(name) && sound(host))
}
