//! Shapes of secrets inside text (wire §9).

use regex::bytes;
use regex::{Regex, RegexBuilder};

use super::cards::has_card_number;
use super::shapes::{STRICT_BOUNDED, strict_shapes};

/// Shapes without word boundaries. W is `[\w-]` in ASCII. Open ends are cut to their minimum: a search needs no more.
const SHAPES: &[&str] = &[
    r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]",
    r"Bearer\s+[A-Za-z0-9._-]{16}",
    r"[spr]k_(?:live|test)_[A-Za-z0-9]{24}",
    r"whsec_[A-Za-z0-9]{24}",
    r"xox[bpa]-[A-Za-z0-9-]{10}",
    r"https://hooks\.slack\.com/services/T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]",
    r"gh[pos]_[A-Za-z0-9]{36}",
    r"github_pat_[A-Za-z0-9_]{82}",
    r"A[KS]IA[A-Za-z0-9]{16}",
    r"AIza[A-Za-z0-9_-]{35}",
    r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    r"(?:postgres|postgresql|mysql|mariadb|mongodb|mongodb\+srv|redis|rediss|amqp|amqps)://[^:\s]+:[^@\s]+@[^\s/]",
    r"-----BEGIN (?:RSA|EC|DSA|OPENSSH|PGP|ENCRYPTED|PRIVATE) (?:PRIVATE )?KEY-----",
    r"[A-Za-z0-9._%+-]@[A-Za-z0-9.-]+\.[A-Za-z]{2}",
];

/// Shapes between word boundaries, without the boundaries.
const BOUNDED: &[&str] = &["SK[0-9a-f]{32}", r"\d{3}-\d{2}-\d{4}"];

/// Searches for shapes, in linear time.
#[derive(Debug)]
pub(super) struct ValueRules {
    /// Everything, on text that is ASCII only: one lazy DFA.
    ascii: bytes::Regex,
    /// Everything without boundaries, with Unicode classes and case folding.
    unicode: Regex,
    /// The bounded shapes without and with their boundaries: Unicode boundaries are slow to search, so they are only
    /// looked at where the shape itself is found.
    loose: Regex,
    bounded: Regex,
    strict: bool,
}

impl ValueRules {
    pub(super) fn new(strict: bool) -> Result<Self, regex::Error> {
        let mut shapes: Vec<String> = SHAPES.iter().map(|shape| (*shape).to_owned()).collect();
        let mut bounded = BOUNDED.to_vec();
        if strict {
            shapes.extend(strict_shapes());
            bounded.extend_from_slice(STRICT_BOUNDED);
        }
        let shapes = shapes.join("|");
        let loose = bounded.join("|");
        let bounded = format!(r"\b(?:{loose})\b");
        let build = |pattern: &str| RegexBuilder::new(pattern).case_insensitive(true).build();
        let build_ascii = |pattern: &str| {
            bytes::RegexBuilder::new(pattern)
                .case_insensitive(true)
                .unicode(false)
                .dfa_size_limit(8 << 20)
                .build()
        };
        let all = format!("{shapes}|{bounded}");
        Ok(Self {
            ascii: build_ascii(&all)?,
            unicode: build(&shapes)?,
            loose: build(&loose)?,
            bounded: build(&bounded)?,
            strict,
        })
    }

    pub(super) fn hit(&self, text: &str) -> bool {
        if self.strict && has_card_number(text) {
            return true;
        }
        if text.is_ascii() {
            return self.ascii.is_match(text.as_bytes());
        }
        self.unicode.is_match(text) || (self.loose.is_match(text) && self.bounded.is_match(text))
    }
}
