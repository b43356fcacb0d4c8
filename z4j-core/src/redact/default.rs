//! The redactor that is used unless a program brings its own.

use std::sync::LazyLock;

use regex::Regex;

use super::config::{PatternError, RedactConfig, compile};
use super::judge::{Judge, NeedsWalk, nests};
use super::keys::KeyRules;
use super::layers::any_layer;
use super::needles::Needles;
use super::printed::printed_members;
use super::suspects::Sweep;
use super::text::kept_part;
use super::values::ValueRules;
use super::{FieldContext, FieldDecision, FieldValue, PolicyId, Redactor, Survey};
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

/// The words without which no built-in rule hits.
static NEEDLES: LazyLock<Needles> = LazyLock::new(Needles::new);

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
        if self.strict {
            return self.shows_a_secret(text)
                || any_layer(text, &|plain| self.shows_a_secret(plain));
        }
        self.shows_a_secret(&kept_part(text, self.string_bytes_max))
    }

    /// Whether a secret can be read in `text` without decoding anything.
    fn shows_a_secret(&self, text: &str) -> bool {
        self.rules.is_some_and(|rules| rules.values.hit(text))
            || (self.strict && self.prints_a_secret_member(text))
            || self
                .extra_values
                .iter()
                .any(|pattern| pattern.is_match(text))
    }

    /// What is to be done to `json`, and how much of it was looked at to tell.
    ///
    /// # Contract
    /// The work grows with the length of the text only, whatever it says.
    #[must_use]
    pub fn survey_counted(&self, json: &str) -> (Survey, SurveyWork) {
        let mut work = SurveyWork::default();
        if !self.extra_keys.is_empty() || !self.extra_values.is_empty() {
            return (Survey::Walk, work);
        }
        let mut sweep = Sweep::new(json);
        let long = json.len() > self.string_bytes_max
            && sweep
                .unquoted(0, self.string_bytes_max.saturating_add(1))
                .is_some();
        if long || nests(json, VALUE_DEPTH_MAX) {
            work.swept_bytes = sweep.work;
            return (Survey::Walk, work);
        }
        let places = sweep.places(&NEEDLES);
        work.swept_bytes = sweep.work;
        if places.is_empty() {
            return (Survey::Keep, work);
        }
        let mut judge = Judge::new(self, json);
        let masks = judge.masks(&places);
        work.judged_bytes = judge.judged_bytes;
        let survey = match masks {
            Ok(masks) if masks.is_empty() => Survey::Keep,
            Ok(masks) => Survey::Mask(masks),
            Err(NeedsWalk) => Survey::Walk,
        };
        (survey, work)
    }
}

/// How much of a text was looked at before it was known what to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SurveyWork {
    /// Bytes that were passed over in search of a place where a rule could hit, each as often as it was.
    pub swept_bytes: usize,
    /// Bytes of keys and values that the rules were asked about one by one: the slow part.
    pub judged_bytes: usize,
}

impl Redactor for DefaultRedactor {
    fn policy(&self) -> PolicyId {
        let custom = !self.extra_keys.is_empty() || !self.extra_values.is_empty();
        PolicyId::new(match (self.rules, self.strict, custom) {
            (None, _, _) => "none-1",
            (Some(_), true, false) => "strict-3",
            (Some(_), true, true) => "strict-3+custom",
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
        self.survey(json) != Survey::Keep
    }

    fn survey(&self, json: &str) -> Survey {
        self.survey_counted(json).0
    }
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
