//! Text inside text: base64, percent signs and escapes, two levels deep (`reliability.md` S-39).
//!
//! JSON and printed dictionaries need no decoding: their members are searched as they stand.

use super::runs::next_run;

/// What is decoded of one text, all layers together.
const DECODED_BYTES_MAX: usize = 64 << 10;
/// A layer inside a layer is the last that is looked into.
const LEVELS_MAX: usize = 2;
/// The shortest base64 that is decoded: twelve bytes, as in `redis://:p@h`.
pub(super) const BASE64_CHARS_MIN: usize = 16;

/// Both alphabets, without the padding.
pub(super) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Whether `hit` says yes to what is written inside `text` in another spelling. What is no text is no spelling of one.
pub(super) fn any_layer(text: &str, hit: &dyn Fn(&str) -> bool) -> bool {
    let mut search = Search {
        hit,
        bytes_left: DECODED_BYTES_MAX,
    };
    search.inside(text, 1)
}

struct Search<'h> {
    hit: &'h dyn Fn(&str) -> bool,
    bytes_left: usize,
}

impl Search<'_> {
    fn inside(&mut self, text: &str, level: usize) -> bool {
        if self.bytes_left == 0 {
            return false;
        }
        if has_percent(text.as_bytes()) {
            let plain = without_percent(text, self.bytes_left);
            if self.judge(&plain, level) {
                return true;
            }
        }
        if has_escape(text.as_bytes()) {
            let plain = without_escapes(text, self.bytes_left);
            if self.judge(&plain, level) {
                return true;
            }
        }
        let bytes = text.as_bytes();
        let (mut at, mut work) = (0, 0);
        while let Some(run) = next_run(bytes, at, BASE64_CHARS_MIN, is_base64, &mut work) {
            at = run.end;
            let run = bytes.get(run).unwrap_or_default();
            if !may_spell_text(run) {
                continue;
            }
            if let Some(plain) = text_of(run, self.bytes_left)
                && self.judge(&plain, level)
            {
                return true;
            }
        }
        false
    }

    fn judge(&mut self, plain: &str, level: usize) -> bool {
        self.bytes_left = self.bytes_left.saturating_sub(plain.len().max(1));
        (self.hit)(plain) || (level < LEVELS_MAX && self.inside(plain, level + 1))
    }
}

/// Whether a percent sign stands before two hex digits.
pub(super) fn has_percent(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'%', bytes).any(|at| is_percent(bytes, at))
}

/// Whether the percent sign at `at` stands for a byte.
pub(super) fn is_percent(bytes: &[u8], at: usize) -> bool {
    hex_pair(bytes, at + 1).is_some()
}

fn hex_pair(bytes: &[u8], at: usize) -> Option<u8> {
    let [high, low] = bytes.get(at..at + 2)? else {
        return None;
    };
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(*high)? << 4 | digit(*low)?)
}

fn without_percent(text: &str, bytes_max: usize) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len().min(bytes_max));
    let mut at = 0;
    while let Some(byte) = bytes.get(at).filter(|_| out.len() < bytes_max) {
        let coded = (*byte == b'%').then(|| hex_pair(bytes, at + 1)).flatten();
        out.push(match (coded, byte) {
            (Some(coded), _) => coded,
            (None, b'+') => b' ',
            (None, other) => *other,
        });
        at += if coded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Whether JSON's escapes for printable characters occur: `\u` and `\/`. All others stand for what no shape holds.
fn has_escape(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', bytes).any(|at| matches!(bytes.get(at + 1), Some(b'u' | b'/')))
}

fn without_escapes(text: &str, bytes_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(bytes_max));
    let mut rest = text;
    while let Some(at) = rest.find('\\').filter(|_| out.len() < bytes_max) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let code = tail.strip_prefix("\\u").and_then(|tail| tail.get(..4));
        let char = code
            .and_then(|code| u32::from_str_radix(code, 16).ok())
            .and_then(char::from_u32);
        let (char, taken) = match (char, tail.starts_with("\\/")) {
            (Some(char), _) => (char, 6),
            (None, true) => ('/', 2),
            (None, false) => ('\\', 1),
        };
        out.push(char);
        rest = tail.get(taken..).unwrap_or_default();
    }
    let room = bytes_max.saturating_sub(out.len());
    out.push_str(
        rest.get(..rest.floor_char_boundary(room))
            .unwrap_or_default(),
    );
    out
}

/// Whether the first bytes that base64 stands for are text. Most words and ids fail here.
pub(super) fn may_spell_text(run: &[u8]) -> bool {
    let mut head = [0; 6];
    let mut filled = 0;
    for quad in run.chunks_exact(4).take(2) {
        let bytes = decode_quad(quad).to_be_bytes();
        for byte in bytes.into_iter().skip(1) {
            if let Some(to) = head.get_mut(filled) {
                *to = byte;
            }
            filled += 1;
        }
    }
    is_text(head.get(..filled).unwrap_or_default()).is_some()
}

/// Up to four characters of base64 as 24 bits; missing ones are zero.
fn decode_quad(quad: &[u8]) -> u32 {
    (0..4).fold(0, |sum, at| {
        sum << 6 | quad.get(at).map_or(0, |byte| sextet(*byte))
    })
}

fn sextet(byte: u8) -> u32 {
    u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        _ => 63,
    })
}

/// `bytes` as text without control characters; a last character may be cut.
fn is_text(bytes: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let is_control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    (!text.bytes().any(is_control)).then_some(text)
}

/// The text that base64 stands for; a last character may be cut.
fn text_of(run: &[u8], bytes_max: usize) -> Option<String> {
    let mut out = Vec::with_capacity((run.len() / 4 * 3 + 2).min(bytes_max + 2));
    for quad in run.chunks(4) {
        if out.len() >= bytes_max {
            break;
        }
        let bytes = decode_quad(quad).to_be_bytes();
        // Four characters are three bytes, three are two, two are one, and one is nothing.
        out.extend(bytes.into_iter().skip(1).take(quad.len().saturating_sub(1)));
    }
    is_text(&out).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    fn sees(text: &str, secret: &str) -> bool {
        any_layer(text, &|plain| plain.contains(secret))
    }

    #[test]
    fn each_layer_is_undone_alone_and_inside_another() {
        for length in 12..40 {
            let plain = format!("{}~?>", "n".repeat(length));
            for text in [
                STANDARD.encode(&plain),
                STANDARD_NO_PAD.encode(&plain),
                URL_SAFE.encode(&plain),
                URL_SAFE_NO_PAD.encode(&plain),
                STANDARD.encode(STANDARD.encode(&plain)),
            ] {
                assert!(sees(&text, &plain), "{text}");
                assert!(sees(&format!("data: {text}, end"), &plain), "{text}");
            }
            let thrice = STANDARD.encode(STANDARD.encode(STANDARD.encode(&plain)));
            assert!(!sees(&thrice, &plain), "two levels are the limit");
        }
        assert!(sees("a%3A+b", "a: b"));
        assert!(sees("a%253Ab", "a:b"));
        assert!(sees(r"a\u0040b\/\u003a", "a@b/:"));
    }

    #[test]
    fn what_spells_no_text_is_not_looked_into() {
        let seen = |text: &str| any_layer(text, &|_| true);
        for text in [
            "0000000000000000000000000000f7a9",
            "550e8400-e29b-41d4-a716-446655440000",
            "checkout-frontend-worker",
            "100 % sure, 5%",
            r"C:\path\new",
            "short YWJj",
        ] {
            assert!(!seen(text), "{text}");
        }
        let binary = STANDARD.encode([0_u8, 1, 2, 3, 250, 251, 252, 253, 254, 255, 0, 1, 2]);
        assert!(!seen(&binary));
    }

    #[test]
    fn no_more_is_decoded_than_the_limit() {
        let decoded = std::cell::Cell::new(0);
        let count = |plain: &str| {
            decoded.set(decoded.get() + plain.len());
            false
        };
        for text in [
            STANDARD.encode("n".repeat(1 << 20)),
            "%41".repeat(1 << 20),
            r"\u0041".repeat(1 << 18),
        ] {
            decoded.set(0);
            assert!(!any_layer(&text, &count));
            assert!(decoded.get() <= DECODED_BYTES_MAX + 8, "{}", decoded.get());
            assert!(decoded.get() >= DECODED_BYTES_MAX / 2, "{}", decoded.get());
        }
    }
}
