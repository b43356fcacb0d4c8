//! One pass over JSON text: checks it and notes where each value lies and whether it is canonical as it stands.
//!
//! A value whose text is already canonical keeps one note however large it is, so a frame of a well-behaved
//! peer costs few notes. Notes are 16 bytes; the worst case is about one note per two bytes of text.

use super::number;
use super::refusal::JsonError;
use crate::limits::CANONICAL_DEPTH_MAX;

/// Containers above this depth keep the notes of their content even when canonical: frame, payload, list of
/// events, event. Typed decoding reads those notes.
const KEPT_DEPTH: usize = 4;

/// What a note describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Text,
    /// A string with at least one escape.
    Escaped,
    Array,
    Object,
}

/// Where one value lies. Members of an object follow it as key, value, key, value; elements of an array likewise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Index of the first note after this value and all that is in it.
    pub(crate) next: u32,
    pub(crate) kind: Kind,
    /// The text is canonical as it stands; such a container may have no notes of its content.
    pub(crate) verbatim: bool,
}

/// Checked JSON text and the notes about it.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    pub(crate) text: &'a str,
    pub(crate) nodes: Vec<Node>,
}

impl<'a> Tape<'a> {
    /// Checks that `bytes` are one JSON value in UTF-8.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        Self::parse_keeping(bytes, KEPT_DEPTH)
    }

    /// As [`Tape::parse`], with notes of everything.
    pub(crate) fn parse_whole(bytes: &'a [u8]) -> Result<Self, JsonError> {
        Self::parse_keeping(bytes, usize::MAX)
    }

    fn parse_keeping(bytes: &'a [u8], kept_depth: usize) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Utf8)?;
        if u32::try_from(text.len()).is_err() {
            return Err(JsonError::TooLong);
        }
        let mut scanner = Scanner {
            bytes,
            at: 0,
            kept_depth,
            nodes: Vec::with_capacity(16 + bytes.len() / 24),
        };
        scanner.skip_space();
        scanner.value(0)?;
        scanner.skip_space();
        if scanner.at != bytes.len() {
            return Err(JsonError::Syntax);
        }
        Ok(Self {
            text,
            nodes: scanner.nodes,
        })
    }

    pub(crate) fn node(&self, index: u32) -> Option<Node> {
        self.nodes.get(index as usize).copied()
    }

    pub(crate) fn slice(&self, start: u32, end: u32) -> &'a str {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// The text of one value, with its quotes if it is a string.
    pub(crate) fn span(&self, node: Node) -> &'a str {
        self.slice(node.start, node.end)
    }
}

pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    kept_depth: usize,
    nodes: Vec<Node>,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "parse refuses text longer than u32 counts"
)]
const fn narrow(at: usize) -> u32 {
    at as u32
}

impl Scanner<'_> {
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Skips white space; true if there was any.
    #[inline]
    fn skip_space(&mut self) -> bool {
        let before = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.at != before
    }

    pub(super) fn push(&mut self, start: usize, kind: Kind, verbatim: bool) {
        let next = narrow(self.nodes.len() + 1);
        self.nodes.push(Node {
            start: narrow(start),
            end: narrow(self.at),
            next,
            kind,
            verbatim,
        });
    }

    /// Reads one value; true if its text is canonical.
    fn value(&mut self, depth: usize) -> Result<bool, JsonError> {
        match self.peek() {
            Some(b'"') => self.text(),
            Some(b'{') => self.container(depth, Kind::Object),
            Some(b'[') => self.container(depth, Kind::Array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Kind::Bool),
            Some(b'f') => self.word(b"false", Kind::Bool),
            Some(b'n') => self.word(b"null", Kind::Null),
            _ => Err(JsonError::Syntax),
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<bool, JsonError> {
        let start = self.at;
        if !self
            .bytes
            .get(start..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            return Err(JsonError::Syntax);
        }
        self.at += word.len();
        self.push(start, kind, true);
        Ok(true)
    }

    fn container(&mut self, depth: usize, kind: Kind) -> Result<bool, JsonError> {
        if depth >= CANONICAL_DEPTH_MAX {
            return Err(JsonError::TooDeep);
        }
        let start = self.at;
        let own = self.nodes.len();
        self.at += 1;
        self.push(start, kind, false);
        let close = if kind == Kind::Object { b'}' } else { b']' };
        let mut verbatim = !self.skip_space();
        if self.peek() == Some(close) {
            self.at += 1;
        } else {
            let mut last_key = None;
            loop {
                if kind == Kind::Object {
                    verbatim &= self.key(&mut last_key)?;
                }
                verbatim &= self.value(depth + 1)?;
                verbatim &= !self.skip_space();
                let byte = self.peek();
                self.at += 1;
                match byte {
                    Some(b',') => verbatim &= !self.skip_space(),
                    Some(byte) if byte == close => break,
                    _ => return Err(JsonError::Syntax),
                }
            }
        }
        if verbatim && depth >= self.kept_depth {
            self.nodes.truncate(own + 1);
        }
        let (end, next) = (narrow(self.at), narrow(self.nodes.len()));
        if let Some(node) = self.nodes.get_mut(own) {
            node.end = end;
            node.next = next;
            node.verbatim = verbatim;
        }
        Ok(verbatim)
    }

    /// Reads a key and its colon; true if the text is canonical and the key comes after `last_key`.
    fn key(&mut self, last_key: &mut Option<(usize, usize)>) -> Result<bool, JsonError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(JsonError::Syntax);
        }
        self.text()?;
        let plain = self
            .nodes
            .last()
            .is_some_and(|node| node.kind == Kind::Text);
        let span = (start + 1, self.at - 1);
        let bytes = |(from, to)| self.bytes.get(from..to).unwrap_or_default();
        let grows = last_key.is_none_or(|last| bytes(last) < bytes(span));
        *last_key = Some(span);
        let mut tight = !self.skip_space();
        if self.peek() != Some(b':') {
            return Err(JsonError::Syntax);
        }
        self.at += 1;
        tight &= !self.skip_space();
        Ok(plain && grows && tight)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let before = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == before {
            Err(JsonError::Syntax)
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<bool, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut kind = Kind::Int;
        if self.peek() == Some(b'.') {
            kind = Kind::Float;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            kind = Kind::Float;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let literal = self.bytes.get(start..self.at).unwrap_or_default();
        let verbatim = if kind == Kind::Int {
            literal != b"-0"
        } else {
            let text = std::str::from_utf8(literal).map_err(|_| JsonError::Utf8)?;
            number::float_text(text)?.as_bytes() == literal
        };
        self.push(start, kind, verbatim);
        Ok(verbatim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_stays_small() {
        assert_eq!(size_of::<Node>(), 16);
    }

    #[test]
    fn text_that_is_canonical_keeps_one_note() {
        let tape = Tape::parse(br#"[[[[{"a":[1,"x",null],"b":{"c":1.5}}]]]]"#).unwrap();
        assert_eq!(tape.nodes.len(), 5);
        let tape = Tape::parse(br#"[[[[{"b":1, "a":2}]]]]"#).unwrap();
        assert_eq!(tape.nodes.len(), 9);
    }

    #[test]
    fn nesting_beyond_the_limit_is_refused_without_using_up_the_stack() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(
            Tape::parse(deep.as_bytes()).unwrap_err(),
            JsonError::TooDeep
        );
        let at_limit = format!(
            "{}{}",
            "[".repeat(CANONICAL_DEPTH_MAX),
            "]".repeat(CANONICAL_DEPTH_MAX)
        );
        assert!(Tape::parse(at_limit.as_bytes()).is_ok());
        let over = format!("[{at_limit}]");
        assert_eq!(
            Tape::parse(over.as_bytes()).unwrap_err(),
            JsonError::TooDeep
        );
    }
}
