//! Settings of the default redactor.

use regex::{Regex, RegexBuilder};

use crate::limits::{PATTERN_CHARS_MAX, REDACTED_STRING_BYTES_MAX};

/// What a person may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactConfig {
    /// Whether the built-in key and value rules apply.
    pub default_patterns_enabled: bool,
    /// Regular expressions that a whole key must match, whatever its case.
    pub extra_key_patterns: Vec<String>,
    /// Regular expressions that are searched in text, whatever its case.
    pub extra_value_patterns: Vec<String>,
    /// The longest text that is kept whole, in bytes.
    pub max_value_bytes: usize,
}

impl Default for RedactConfig {
    fn default() -> Self {
        Self {
            default_patterns_enabled: true,
            extra_key_patterns: Vec::new(),
            extra_value_patterns: Vec::new(),
            max_value_bytes: REDACTED_STRING_BYTES_MAX,
        }
    }
}

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Not a regular expression, or one that is too large.
    #[error("pattern {index} is not a usable regular expression")]
    Syntax {
        /// Its position in its list, from 0.
        index: usize,
        /// What the compiler says.
        #[source]
        source: regex::Error,
    },
    /// Longer than [`PATTERN_CHARS_MAX`].
    #[error("pattern {index} is longer than {PATTERN_CHARS_MAX} characters")]
    TooLong {
        /// Its position in its list, from 0.
        index: usize,
    },
    /// Repeats a repetition. We match in linear time, but the same setting is read by Python agents, which do not.
    #[error("pattern {index} repeats a repetition, which takes agents too long to match")]
    NestedRepeat {
        /// Its position in its list, from 0.
        index: usize,
    },
}

const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Compiles patterns of a person; `whole` makes each match the whole text.
pub(super) fn compile(patterns: &[String], whole: bool) -> Result<Vec<Regex>, PatternError> {
    patterns
        .iter()
        .enumerate()
        .map(|(index, pattern)| {
            if pattern.chars().count() > PATTERN_CHARS_MAX {
                return Err(PatternError::TooLong { index });
            }
            if repeats_a_repetition(pattern) {
                return Err(PatternError::NestedRepeat { index });
            }
            let text = if whole {
                format!(r"\A(?:{pattern})\z")
            } else {
                pattern.clone()
            };
            // Without the wrapping, so that a pattern cannot close the group around it.
            Regex::new(pattern).map_err(|source| PatternError::Syntax { index, source })?;
            RegexBuilder::new(&text)
                .case_insensitive(true)
                .size_limit(COMPILED_BYTES_MAX)
                .build()
                .map_err(|source| PatternError::Syntax { index, source })
        })
        .collect()
}

/// Whether a group that holds an unbounded repeat is itself repeated without bound.
fn repeats_a_repetition(pattern: &str) -> bool {
    let mut groups = vec![false];
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                chars.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            '(' => groups.push(false),
            ')' => {
                let inner = groups.pop().unwrap_or(false);
                let rest: String = chars.clone().take(8).collect();
                if inner && repeats_without_bound(&rest) {
                    return true;
                }
                if let Some(outer) = groups.last_mut() {
                    *outer |= inner;
                }
            }
            '+' | '*' => mark(&mut groups),
            '{' => {
                let rest: String = std::iter::once('{').chain(chars.clone().take(8)).collect();
                if repeats_without_bound(&rest) {
                    mark(&mut groups);
                }
            }
            _ => {}
        }
    }
    false
}

fn mark(groups: &mut [bool]) {
    if let Some(group) = groups.last_mut() {
        *group = true;
    }
}

fn repeats_without_bound(rest: &str) -> bool {
    if rest.starts_with(['+', '*']) {
        return true;
    }
    let Some((bounds, _)) = rest.strip_prefix('{').and_then(|tail| tail.split_once('}')) else {
        return false;
    };
    bounds.ends_with(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_repeated_repetition_is_refused() {
        for bad in ["(a+)+$", "(?:a*)*", "((ab)+c){2,}", "(x{1,})+"] {
            assert!(repeats_a_repetition(bad), "{bad}");
        }
        for good in [
            "customer_.*_token",
            "(a+)?",
            r"(\+)+",
            "([+*])+",
            "(ab)+",
            r"ACME-\d+",
            "(a{2}){3,}",
        ] {
            assert!(!repeats_a_repetition(good), "{good}");
        }
    }
}
