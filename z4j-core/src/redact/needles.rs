//! The words without which no rule for keys or text can hit, found in one pass.

use super::cards::starts_card;

/// Every hit on ASCII text without escapes holds one of these, whatever its case, or is found by its digits, by an
/// `@`, or by what it decodes to.
const NEEDLES: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "auth",
    "cookie",
    "cred",
    "ssn",
    "social",
    "card",
    "cvv",
    "cvc",
    "session",
    "bearer",
    "://",
    "eyj",
    "k_live_",
    "k_test_",
    "whsec_",
    "xox",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "akia",
    "asia",
    "aiza",
    "sg.",
    "-----begin",
    "sk-",
    "mysql",
    "mariadb",
    "glpat-",
];
/// Too common to be a needle (`routing_key`): only after one of [`KEY_KINDS`] in the same text.
const KEY: &str = "key";
/// What makes a key secret.
const KEY_KINDS: &[&str] = &[
    "api",
    "private",
    "access",
    "account",
    "encryption",
    "signing",
    "master",
    "ssh",
];
/// The longest of [`KEY_KINDS`].
const KIND_BYTES_MAX: usize = 10;

/// A needle in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needle {
    /// Worth a closer look.
    Word(usize),
    /// Worth one if a kind of key stands before it.
    Key(usize),
}

impl Needle {
    const fn after(self, skipped: usize) -> Self {
        match self {
            Self::Word(place) => Self::Word(place + skipped),
            Self::Key(place) => Self::Key(place + skipped),
        }
    }
}

/// A set of the first three letters of every needle: one bit for each value of a 15-bit hash.
#[derive(Debug)]
pub(super) struct Needles {
    starts: Box<[u64; 512]>,
}

/// Makes letters lower-case. Other bytes may become equal too, which costs a closer look and hides nothing.
const FOLD: u64 = 0x2020_2020_2020_2020;

/// Word and bit of the first three bytes of `folded`.
#[inline]
const fn place(folded: u64) -> (usize, u64) {
    let hash = (folded & 0xFF_FFFF).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 49;
    ((hash >> 6) as usize, hash & 63)
}

fn starts_with_folded(bytes: &[u8], needle: &str) -> bool {
    bytes.len() >= needle.len()
        && bytes
            .iter()
            .zip(needle.bytes())
            .all(|(byte, letter)| byte | 0x20 == letter | 0x20)
}

impl Needles {
    pub(super) fn new() -> Self {
        let mut starts = Box::new([0; 512]);
        for needle in NEEDLES.iter().chain([&KEY]) {
            let mut head = [0; 8];
            for (to, from) in head.iter_mut().zip(needle.bytes()) {
                *to = from;
            }
            let (word, bit) = place(u64::from_le_bytes(head) | FOLD);
            if let Some(word) = starts.get_mut(word) {
                *word |= 1 << bit;
            }
        }
        Self { starts }
    }

    #[inline]
    fn may_start(&self, folded: u64) -> u64 {
        let (word, bit) = place(folded);
        self.starts.get(word).map_or(0, |word| word >> bit & 1)
    }

    /// The first needle that starts at `from` or later. Eight bytes hold six starts.
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> Option<Needle> {
        let mut at = from;
        loop {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            let word = first_eight(rest) | FOLD;
            let any = self.may_start(word)
                | self.may_start(word >> 8)
                | self.may_start(word >> 16)
                | self.may_start(word >> 24)
                | self.may_start(word >> 32)
                | self.may_start(word >> 40);
            if any != 0
                && let Some(needle) = (0..6)
                    .filter(|offset| self.may_start(word >> (8 * offset)) != 0)
                    .find_map(|offset| needle_at(rest, offset))
            {
                return Some(needle.after(at));
            }
            at += 6;
        }
    }
}

/// The first eight bytes, or as many as there are.
#[inline]
fn first_eight(bytes: &[u8]) -> u64 {
    if let Some(chunk) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*chunk);
    }
    bytes
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn needle_at(bytes: &[u8], start: usize) -> Option<Needle> {
    let rest = bytes.get(start..)?;
    if starts_with_folded(rest, KEY) {
        return Some(Needle::Key(start));
    }
    NEEDLES
        .iter()
        .any(|needle| starts_with_folded(rest, needle))
        .then_some(Needle::Word(start))
}

/// Whether one of the words that make a key secret stands in `before`, or begins there less than [`KIND_BYTES_MAX`]
/// bytes before its start.
pub(super) fn names_a_kind(text: &[u8], from: usize, to: usize) -> bool {
    let start = from.saturating_sub(KIND_BYTES_MAX);
    let window = text.get(start..to).unwrap_or_default();
    (0..window.len()).any(|at| {
        let rest = window.get(at..).unwrap_or_default();
        KEY_KINDS.iter().any(|kind| starts_with_folded(rest, kind))
    })
}

/// Whether a run of digits, spaces and dashes holds what could be the number of a card or of a person. `run` reaches to
/// the end of the text, `length` is how long the run is.
pub(super) fn holds_a_number(run: &[u8], length: usize) -> bool {
    let mut before = b' ';
    for (at, byte) in run.iter().take(length).enumerate() {
        if !before.is_ascii_digit() && (b'2'..=b'6').contains(byte) {
            let rest = run.get(at..).unwrap_or_default();
            if starts_card(rest) {
                return true;
            }
        }
        before = *byte;
    }
    let own = run.get(..length).unwrap_or_default();
    own.windows(11).any(|window| {
        window.iter().enumerate().all(|(at, byte)| match at {
            3 | 6 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_needle_is_found_at_every_offset_in_any_case() {
        let needles = Needles::new();
        for needle in NEEDLES {
            for lead in 0..17 {
                for tail in 0..9 {
                    let text = format!("{}{}{}", " ".repeat(lead), needle, " ".repeat(tail));
                    assert_eq!(
                        needles.next(text.as_bytes(), 0),
                        Some(Needle::Word(lead)),
                        "{text}"
                    );
                    let upper = text.to_ascii_uppercase();
                    assert_eq!(
                        needles.next(upper.as_bytes(), 0),
                        Some(Needle::Word(lead)),
                        "{upper}"
                    );
                    assert_eq!(needles.next(text.as_bytes(), lead + 1), None, "{text}");
                }
            }
        }
        assert_eq!(needles.next(b"a routing_KEY", 0), Some(Needle::Key(10)));
        assert_eq!(needles.next(b"nothing of that sort: 12-3, a_b", 0), None);
    }

    #[test]
    fn a_kind_of_key_counts_also_when_it_begins_before_the_window() {
        assert!(names_a_kind(b"x_API_x_key", 0, 8));
        assert!(names_a_kind(b"encryption_key", 9, 11));
        assert!(!names_a_kind(b"routing_key", 0, 8));
    }
}
