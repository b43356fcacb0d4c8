//! Where in JSON text a rule could hit: a superset, found by looking at each byte a few times at most.
//!
//! The text is not parsed here. Each sweep looks for one thing without which no rule can hit, and `judge` then asks the
//! rules about the strings, and only those, that hold a place found here. What an escape could hide is a place too.

use memchr::{memchr, memchr3, memrchr};

use super::layers::{BASE64_CHARS_MIN, is_base64, is_percent, may_spell_text};
use super::needles::{Needle, Needles, holds_a_number, names_a_kind};
use super::runs::next_run;
use crate::limits::KEY_CHARS_MAX;

/// The shortest number of a person or card: `123-45-6789`.
const NUMBER_BYTES_MIN: usize = 11;

/// The sweeps over one text.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    bytes: &'a [u8],
    found: Vec<usize>,
    /// Bytes looked at, each as often as it was, but for those that a needle's first letters pass over.
    pub(super) work: usize,
}

impl<'a> Sweep<'a> {
    pub(super) const fn new(json: &'a str) -> Self {
        Self {
            bytes: json.as_bytes(),
            found: Vec::new(),
            work: 0,
        }
    }

    /// Every place, ascending.
    pub(super) fn places(&mut self, needles: &Needles) -> Vec<usize> {
        self.words(needles);
        self.marks();
        self.numbers();
        self.encoded();
        self.long_keys();
        if !self.bytes.is_ascii() {
            self.odd_characters();
        }
        let mut found = std::mem::take(&mut self.found);
        found.sort_unstable();
        found
    }

    /// Notes a place. The rest of its string needs no look, so this returns where the next quote is.
    fn note(&mut self, place: usize) -> usize {
        self.found.push(place);
        let rest = self.bytes.get(place..).unwrap_or_default();
        let skipped = memchr(b'"', rest).unwrap_or(rest.len());
        self.work += skipped;
        place + skipped
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn words(&mut self, needles: &Needles) {
        let (mut at, mut key_seen) = (0, 0);
        self.work += self.bytes.len();
        while let Some(needle) = needles.next(self.bytes, at) {
            at = match needle {
                Needle::Word(place) => self.note(place),
                Needle::Key(place) => {
                    let start = self.string_start(key_seen, place);
                    self.work += place - start;
                    key_seen = place;
                    if names_a_kind(self.bytes, start, place) {
                        self.note(place)
                    } else {
                        place + 1
                    }
                }
            };
        }
    }

    /// The first byte of the string that `place` is in, or `from` if it begins before.
    fn string_start(&self, from: usize, place: usize) -> usize {
        let mut end = place;
        loop {
            let before = self.bytes.get(from..end).unwrap_or_default();
            match memrchr(b'"', before) {
                // What only looks escaped makes the part longer, which is a closer look for nothing.
                Some(quote)
                    if before
                        .get(..quote)
                        .is_some_and(|head| head.ends_with(b"\\")) =>
                {
                    end = from + quote;
                }
                Some(quote) => return from + quote + 1,
                None => return from,
            }
        }
    }

    /// Addresses, percent signs and escapes.
    fn marks(&mut self) {
        let mut at = 0;
        self.work += self.bytes.len();
        while let Some(rest) = self.bytes.get(at..) {
            let Some(next) = memchr3(b'@', b'%', b'\\', rest) else {
                break;
            };
            at += next;
            let (suspicious, width) = match self.byte(at) {
                Some(b'@') => (self.is_address(at), 1),
                Some(b'%') => (is_percent(self.bytes, at), 1),
                _ => (self.hides(at), 2),
            };
            at = if suspicious {
                self.note(at)
            } else {
                at + width
            };
        }
    }

    fn is_address(&mut self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.byte(before));
        let names = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
        };
        if !before.is_some_and(names) {
            return false;
        }
        let rest = self.bytes.get(at + 1..).unwrap_or_default();
        let hosts = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let length = rest.iter().take_while(|byte| hosts(byte)).count();
        self.work += 2 * length;
        let host = rest.get(1..length).unwrap_or_default();
        host.windows(3).any(|end| {
            matches!(end, [b'.', first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic())
        })
    }

    /// Whether the escape at `at` stands for a character that a rule could look for, or for the start of an escape in
    /// the text itself.
    fn hides(&self, at: usize) -> bool {
        match self.byte(at + 1) {
            Some(b'/') => true,
            Some(b'\\') => matches!(self.byte(at + 2), Some(b'u' | b'/')),
            Some(b'u') => {
                let digits = self.bytes.get(at + 2..at + 6).unwrap_or_default();
                let code = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|text| u32::from_str_radix(text, 16).ok());
                match code {
                    // A control character, the first half of an emoji, or a second half, whose first was looked at.
                    Some(0..0x20 | 0xD83C..=0xD83E | 0xDC00..0xE000) => self.lengthens(at + 6),
                    Some(code) => char::from_u32(code).is_none_or(|char| {
                        char.is_ascii() || is_odd(char) || self.lengthens(at + 6)
                    }),
                    None => true,
                }
            }
            _ => false,
        }
    }

    /// Whether the digits of an escape that ends at `after` would be taken for the start of a number or of base64.
    fn lengthens(&self, after: usize) -> bool {
        let rest = self.bytes.get(after..).unwrap_or_default();
        let spells = |bytes: &[u8]| bytes.iter().all(|byte| is_base64(*byte));
        rest.first().is_some_and(u8::is_ascii_digit)
            || rest.get(..BASE64_CHARS_MIN).is_some_and(spells)
    }

    /// Cards and persons.
    fn numbers(&mut self) {
        let of_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
        let mut at = 0;
        while let Some(run) = next_run(self.bytes, at, NUMBER_BYTES_MIN, of_number, &mut self.work)
        {
            at = run.end;
            let rest = self.bytes.get(run.start..).unwrap_or_default();
            self.work += 2 * run.len();
            if holds_a_number(rest, run.len()) {
                self.note(run.start);
            }
        }
    }

    /// Base64, and a shape that is spelled like it.
    fn encoded(&mut self) {
        let mut at = 0;
        while let Some(run) = next_run(self.bytes, at, BASE64_CHARS_MIN, is_base64, &mut self.work)
        {
            at = run.end;
            let after_slash = run
                .start
                .checked_sub(1)
                .and_then(|before| self.byte(before))
                == Some(b'\\');
            let text = self.bytes.get(run.clone()).unwrap_or_default();
            self.work += 2 * text.len();
            // After a backslash the first letter may belong to an escape.
            let inner = text.get(1..).filter(|_| after_slash);
            if may_spell_text(text) || inner.is_some_and(may_spell_text) || holds_an_account(text) {
                self.note(run.start);
            }
        }
    }

    /// Keys that are too long to be compared.
    fn long_keys(&mut self) {
        let mut at = 0;
        while let Some((start, end)) = self.unquoted(at, KEY_CHARS_MAX + 1) {
            let after = self.bytes.get(end + 1..).unwrap_or_default();
            let spaces = after
                .iter()
                .take_while(|byte| byte.is_ascii_whitespace())
                .count();
            self.work += spaces + 1;
            if after.get(spaces) == Some(&b':') {
                self.found.push(start);
            }
            at = end + 1;
        }
    }

    /// The next part of at least `length_min` bytes between two quotes, or between the last one and the end.
    pub(super) fn unquoted(&mut self, from: usize, length_min: usize) -> Option<(usize, usize)> {
        let mut start = from;
        loop {
            let window = self.bytes.get(start..start + length_min)?;
            let Some(quote) = self.last_quote(window, start) else {
                break;
            };
            start = quote + 1;
        }
        let mut end = start + length_min;
        loop {
            let rest = self.bytes.get(end..).unwrap_or_default();
            let next = memchr(b'"', rest).unwrap_or(rest.len());
            self.work += next;
            end += next;
            if next == rest.len() || !self.is_escaped(end) {
                return Some((start, end));
            }
            end += 1;
        }
    }

    fn last_quote(&mut self, window: &[u8], start: usize) -> Option<usize> {
        let mut end = window.len();
        loop {
            let quote = memrchr(b'"', window.get(..end)?);
            self.work += end - quote.unwrap_or(0);
            match quote {
                Some(quote) if self.is_escaped(start + quote) => end = quote,
                Some(quote) => return Some(start + quote),
                None => return None,
            }
        }
    }

    fn is_escaped(&mut self, quote: usize) -> bool {
        let before = self.bytes.get(..quote).unwrap_or_default();
        let slashes = before
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        self.work += slashes;
        slashes % 2 == 1
    }

    fn odd_characters(&mut self) {
        let Ok(text) = std::str::from_utf8(self.bytes) else {
            return;
        };
        self.work += text.len();
        let mut skip_to = 0;
        for (at, char) in text.char_indices() {
            if !char.is_ascii() && at >= skip_to && is_odd(char) {
                skip_to = self.note(at);
            }
        }
    }
}

/// `SK` and 32 hex digits; the boundaries are for the rule to find.
fn holds_an_account(run: &[u8]) -> bool {
    run.windows(34)
        .any(|window| match window.split_first_chunk::<2>() {
            Some((head, tail)) => {
                head.eq_ignore_ascii_case(b"sk") && tail.iter().all(u8::is_ascii_hexdigit)
            }
            None => false,
        })
}

/// Whether a rule could read a character that is not ASCII as another one, or as a digit, or not at all. Scripts in
/// which none of that occurs are listed, so that ordinary text in them costs no closer look.
const fn is_odd(char: char) -> bool {
    !matches!(char,
        '\u{80}'..='\u{AC}' | '\u{AE}'..='\u{17E}' | '\u{180}'..='\u{2AF}'
        | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205E}' | '\u{20A0}'..='\u{20CF}'
        | '\u{2190}'..='\u{2BFF}' | '\u{3000}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}'
        | '\u{1F300}'..='\u{1FAFF}')
}
