//! Keys whose values are secret.

use regex::{Regex, RegexBuilder};

use super::FieldValue;

/// The names of wire §9; a key must match one of them as a whole.
const NAMES: &str = concat!(
    "password|password_confirmation|password_hash|passwd|pwd|old_password|new_password|secret|secrets|token|apikey|",
    "x-api-key|x_api_key|authorization|auth|credentials|cookie|set-cookie|set_cookie|ssn|social_security(?:_number)?|",
    "credit_card(?:_number)?|card_number|cvv|cvc|",
    "(?:client|webhook|hmac)_?secret|(?:access|refresh|id|api|bearer|session)_?token|api_?key",
);

/// Every ASCII key that the strict rules hit holds one of these. `key` alone is too common (`routing_key`) to be one.
const TRIGGERS: &str = concat!(
    "pass|pwd|secret|token|auth|cookie|cred|ssn|social|card|cvv|cvc|session|bearer|",
    "(?:api|private|access|account|encryption|signing|master|ssh)(?s:.*)key",
);

/// The names of wire §9, and for the brain words anywhere in a key.
#[derive(Debug)]
pub(super) struct KeyRules {
    names: Regex,
    triggers: Regex,
    strict: bool,
}

impl KeyRules {
    pub(super) fn new(strict: bool) -> Result<Self, regex::Error> {
        let names = RegexBuilder::new(&format!(r"\A(?:{NAMES})\z"))
            .case_insensitive(true)
            .build()?;
        let triggers = RegexBuilder::new(TRIGGERS).case_insensitive(true).build()?;
        Ok(Self {
            names,
            triggers,
            strict,
        })
    }

    pub(super) fn hit(&self, key: &str, value: &FieldValue<'_>) -> bool {
        if self.strict && key.is_ascii() && !self.triggers.is_match(key) {
            return false;
        }
        self.names.is_match(key) || (self.strict && words_hit(key, value))
    }
}

/// Always secret, also as numbers, also inside a longer word (`dbpassword`, `passwordHash`).
const PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "credential",
    "apikey",
    "privatekey",
    "pwd",
];
/// The same, written as two words.
const SPLIT_PARTS: &[(&str, &str)] = &[("pass", "word"), ("pass", "phrase"), ("pass", "code")];
/// Secret as whole words, also as numbers.
const WORDS: &[&str] = &["ssn", "cvv", "cvc"];
/// Secret as whole words when the value is text or a container: numbers and flags of that name are counts and switches.
const SOFT_WORDS: &[&str] = &[
    "token",
    "tokens",
    "auth",
    "authorization",
    "cookie",
    "cookies",
    "bearer",
    "sessionid",
];
/// Secret as the end of a word (`csrftoken`); soft like [`SOFT_WORDS`].
const SOFT_ENDS: &[&str] = &["token", "accesskey", "accountkey"];
/// Secret as the last word of a key (`smtp_pass`); soft like [`SOFT_WORDS`].
const SOFT_LAST: &str = "pass";
/// Pairs of neighbouring words; soft like [`SOFT_WORDS`].
const PAIRS: &[(&str, &str)] = &[
    ("api", "key"),
    ("private", "key"),
    ("access", "key"),
    ("account", "key"),
    ("encryption", "key"),
    ("signing", "key"),
    ("master", "key"),
    ("ssh", "key"),
    ("session", "id"),
    ("session", "key"),
    ("credit", "card"),
    ("card", "number"),
    ("social", "security"),
];
/// A key that ends in one of these tells something about a secret, not the secret.
const ABOUT: &[&str] = &[
    "count", "counts", "type", "kind", "limit", "length", "size", "ttl", "expiry", "expires",
    "expired", "at", "usage", "used", "budget", "policy", "required", "enabled", "method", "reset",
    "changed", "age", "strength",
];

/// The words rule of `reliability.md` S-37.
fn words_hit(key: &str, value: &FieldValue<'_>) -> bool {
    let words = words_of(key);
    if words
        .last()
        .is_some_and(|last| ABOUT.contains(&last.as_str()))
    {
        return false;
    }
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let has_pair = |list: &[(&str, &str)]| {
        let mut neighbours = words.iter().zip(words.iter().skip(1));
        neighbours.any(|(first, second)| list.contains(&(first.as_str(), second.as_str())))
    };
    let has_part = words
        .iter()
        .any(|word| PARTS.iter().any(|part| word.contains(part)));
    if has_part || has(WORDS) || has_pair(SPLIT_PARTS) {
        return true;
    }
    let soft_value = !matches!(
        value,
        FieldValue::Number(_) | FieldValue::Bool(_) | FieldValue::Null
    );
    let has_end = words
        .iter()
        .any(|word| SOFT_ENDS.iter().any(|end| word.ends_with(end)));
    let ends_soft = words.last().is_some_and(|last| last == SOFT_LAST);
    soft_value && (has_pair(PAIRS) || has(SOFT_WORDS) || has_end || ends_soft)
}

/// Lower-case words of a key, without numbers at their ends, in camel, snake, kebab or dotted spelling, look-alike letters made plain.
fn words_of(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for char in key.chars().filter_map(plain) {
        let starts = char.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit());
        if !char.is_alphanumeric() || starts {
            words.push(String::new());
        }
        if let (true, Some(word)) = (char.is_alphanumeric(), words.last_mut()) {
            word.extend(char.to_lowercase());
        }
        before = char;
    }
    for word in &mut words {
        word.truncate(
            word.trim_end_matches(|char: char| char.is_ascii_digit())
                .len(),
        );
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Undoes full-width forms and the common Cyrillic and Greek look-alikes; invisible characters vanish.
fn plain(char: char) -> Option<char> {
    let plain = match char {
        '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{AD}' => return None,
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(char) - 0xFEE0)?,
        'а' | 'α' => 'a',
        'А' | 'Α' => 'A',
        'с' | 'ϲ' => 'c',
        'С' => 'C',
        'ԁ' => 'd',
        'е' => 'e',
        'Е' | 'Ε' => 'E',
        'һ' => 'h',
        'і' | 'ι' => 'i',
        'к' | 'κ' => 'k',
        'К' | 'Κ' | '\u{212A}' => 'K',
        'м' => 'm',
        'п' => 'n',
        'о' | 'ο' => 'o',
        'О' | 'Ο' => 'O',
        'р' | 'ρ' => 'p',
        'Р' | 'Ρ' => 'P',
        'ѕ' | 'ſ' => 's',
        'Ѕ' => 'S',
        'т' | 'τ' => 't',
        'Т' | 'Τ' => 'T',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        other => other,
    };
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(key: &str) -> bool {
        KeyRules::new(true)
            .unwrap()
            .hit(key, &FieldValue::Text("v"))
    }

    #[test]
    fn words_are_found_in_any_spelling() {
        for key in [
            "db_password",
            "DATABASE-PASSWORD",
            "awsSecretAccessKey",
            "passphrase",
            "private_key",
            "x-auth-token",
            "ｐａｓｓｗｏｒｄ",
            "р\u{430}ssword",
            "pass\u{200B}word",
            "user.password1",
            "smtpPwd",
            "dbpassword",
            "SESSION_ID",
            "pass_word",
            "token2",
            "dbpwd",
            "csrftoken",
            "sessionid",
            "pass",
            "smtp_pass",
            "DB_PASS",
            "AccountKey",
            "api\"key",
        ] {
            assert!(hit(key), "{key}");
        }
    }

    #[test]
    fn ordinary_keys_are_left_alone() {
        for key in [
            "token_count",
            "author",
            "monkey",
            "key",
            "keyword",
            "card_type",
            "compass",
            "password_reset",
            "tokenizer",
            "partition_key",
            "passenger",
            "cookie_policy",
            "auth_method",
            "primary_key",
            "compass_words",
            "sec_retries",
            "pass_through",
            "bypass",
            "passed",
            "sessions",
            "account_id",
            "tokenise",
        ] {
            assert!(!hit(key), "{key}");
        }
        let rules = KeyRules::new(true).unwrap();
        assert!(!rules.hit("max_tokens", &FieldValue::Number("4096")));
        assert!(!rules.hit("pass", &FieldValue::Number("3")));
        assert!(rules.hit("db_password", &FieldValue::Number("12345")));
    }
}
