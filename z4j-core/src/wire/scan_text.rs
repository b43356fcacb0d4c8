//! Strings of JSON text, for the scanner.

use super::refusal::JsonError;
use super::scan::{Kind, Scanner};

impl Scanner<'_> {
    /// Reads a string; true if its text is canonical.
    pub(super) fn text(&mut self) -> Result<bool, JsonError> {
        let start = self.at;
        self.at += 1;
        let mut kind = Kind::Text;
        let mut verbatim = true;
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    kind = Kind::Escaped;
                    verbatim &= self.escape()?;
                }
                _ => return Err(JsonError::Syntax),
            }
        }
        self.at += 1;
        self.push(start, kind, verbatim);
        Ok(verbatim)
    }

    /// Reads one escape; true if it is spelled as the canonical form spells it.
    fn escape(&mut self) -> Result<bool, JsonError> {
        let code = self.bytes.get(self.at + 1).copied();
        self.at += 2;
        match code {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(true),
            Some(b'/') => Ok(false),
            Some(b'u') => self.unicode_escape(),
            _ => Err(JsonError::Syntax),
        }
    }

    fn unicode_escape(&mut self) -> Result<bool, JsonError> {
        let first = self.hex4()?;
        match first {
            0xD800..=0xDBFF => {
                if self.bytes.get(self.at..self.at + 2) != Some(br"\u") {
                    return Err(JsonError::LoneSurrogate);
                }
                self.at += 2;
                match self.hex4()? {
                    0xDC00..=0xDFFF => Ok(false),
                    _ => Err(JsonError::LoneSurrogate),
                }
            }
            0xDC00..=0xDFFF => Err(JsonError::LoneSurrogate),
            0..=0x1F => {
                let short = matches!(first, 0x08 | 0x09 | 0x0A | 0x0C | 0x0D);
                let digits = self.bytes.get(self.at - 2..self.at).unwrap_or_default();
                Ok(!short && !digits.iter().any(u8::is_ascii_uppercase))
            }
            _ => Ok(false),
        }
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .ok_or(JsonError::Syntax)?;
        self.at += 4;
        digits.iter().try_fold(0, |sum, digit| {
            let value = char::from(*digit).to_digit(16).ok_or(JsonError::Syntax)?;
            Ok(sum * 16 + value)
        })
    }
}

/// The first index from `at` on whose byte ends or interrupts a run of plain string text.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let stops = stop_bytes(u64::from_le_bytes(*chunk));
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..=0x1F) {
            break;
        }
        at += 1;
    }
    at
}

/// The lowest set bit marks the first byte that is a quote, a backslash or a control character.
#[inline]
const fn stop_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let zero_quote = quote.wrapping_sub(ONES) & !quote;
    let zero_slash = slash.wrapping_sub(ONES) & !slash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero_quote | zero_slash | control) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_wise_search_stops_where_the_byte_wise_one_does() {
        for stop in 0..=u8::MAX {
            for lead in 0..20 {
                let mut bytes = vec![b'a'; lead];
                bytes.extend([0xC3, 0xBC, stop, b'"', b'z', 0x7F, 0x80, b'z', b'z', b'z']);
                let slow = bytes
                    .iter()
                    .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F));
                assert_eq!(Some(plain_end(&bytes, 0)), slow, "stop {stop} lead {lead}");
            }
        }
    }
}
