//! Asks the rules about the strings that hold a place where one could hit, and says what to mask.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2, memchr2_iter};

use super::{FieldContext, FieldDecision, FieldValue, Redactor};
use crate::wire::notes::unescape;

/// Valid JSON text, read from one string to the next.
#[derive(Debug)]
pub(super) struct Judge<'r, 'j> {
    redactor: &'r dyn Redactor,
    json: &'j str,
    /// The first byte that was not read; outside of strings.
    at: usize,
    /// Containers open there.
    depth: usize,
    /// The last key that was read, without its quotes.
    key: &'j str,
    masks: Vec<Range<usize>>,
    /// Bytes of keys and values that the rules were asked about.
    pub(super) judged_bytes: usize,
}

/// What is masked cannot be said by places: a container, or a key.
#[derive(Debug)]
pub(super) struct NeedsWalk;

impl<'r, 'j> Judge<'r, 'j> {
    pub(super) const fn new(redactor: &'r dyn Redactor, json: &'j str) -> Self {
        Self {
            redactor,
            json,
            at: 0,
            depth: 0,
            key: "",
            masks: Vec::new(),
            judged_bytes: 0,
        }
    }

    /// The values to mask, ascending and apart. `places` must ascend.
    pub(super) fn masks(&mut self, places: &[usize]) -> Result<Vec<Range<usize>>, NeedsWalk> {
        for place in places {
            while self.at <= *place {
                let rest = self.bytes().get(self.at..).unwrap_or_default();
                let open = memchr(b'"', rest).map(|open| self.at + open);
                match open.filter(|open| open <= place) {
                    Some(open) => self.string(open, *place)?,
                    // Not in a string: numbers are not searched.
                    None => break,
                }
            }
        }
        Ok(std::mem::take(&mut self.masks))
    }

    const fn bytes(&self) -> &'j [u8] {
        self.json.as_bytes()
    }

    fn text(&self, range: Range<usize>) -> &'j str {
        self.json.get(range).unwrap_or_default()
    }

    fn string(&mut self, open: usize, place: usize) -> Result<(), NeedsWalk> {
        let gap = self.bytes().get(self.at..open).unwrap_or_default();
        let mut last = b',';
        for byte in gap {
            match byte {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if !byte.is_ascii_whitespace() {
                last = *byte;
            }
        }
        let close = string_end(self.bytes(), open);
        let inner = self.text(open + 1..close);
        self.at = close + 1;
        let after = self.skip_space(close + 1);
        let suspicious = place <= close;
        if self.bytes().get(after) == Some(&b':') {
            if suspicious {
                self.member(inner, after + 1)?;
            }
            self.key = inner;
        } else if suspicious {
            let key = (last == b':').then(|| unescaped(self.key));
            let value = unescaped(inner);
            if self.is_masked(key.as_deref(), &FieldValue::Text(&value)) {
                self.masks.push(open..close + 1);
            }
        }
        Ok(())
    }

    /// A suspicious key: it may be secret itself, or name a secret.
    fn member(&mut self, key: &str, value_at: usize) -> Result<(), NeedsWalk> {
        let key = unescaped(key);
        if self.is_masked(None, &FieldValue::Name(&key)) {
            return Err(NeedsWalk);
        }
        let start = self.skip_space(value_at);
        let end = scalar_end(self.bytes(), start);
        let text;
        let value = match self.bytes().get(start) {
            Some(b'"') => {
                text = unescaped(self.text(start + 1..end.saturating_sub(1)));
                FieldValue::Text(&text)
            }
            Some(b'[') => FieldValue::Array,
            Some(b'{') => FieldValue::Object,
            Some(b't') => FieldValue::Bool(true),
            Some(b'f') => FieldValue::Bool(false),
            Some(b'n') => FieldValue::Null,
            _ => FieldValue::Number(self.text(start..end)),
        };
        if self.is_masked(Some(&key), &value) {
            if matches!(value, FieldValue::Array | FieldValue::Object) {
                return Err(NeedsWalk);
            }
            self.masks.push(start..end);
            self.at = end;
        }
        Ok(())
    }

    fn is_masked(&mut self, key: Option<&str>, value: &FieldValue<'_>) -> bool {
        let field = FieldContext {
            task_name: "",
            key,
            depth: self.depth,
        };
        if let FieldValue::Text(text) | FieldValue::Name(text) = value {
            self.judged_bytes += text.len();
        }
        self.judged_bytes += key.map_or(0, str::len);
        self.redactor.decide(&field, value) != FieldDecision::Keep
    }

    fn skip_space(&self, from: usize) -> usize {
        let rest = self.bytes().get(from..).unwrap_or_default();
        from + rest
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count()
    }
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if memchr(b'\\', text.as_bytes()).is_some() {
        Cow::Owned(unescape(text))
    } else {
        Cow::Borrowed(text)
    }
}

/// Where the string that begins at `open` has its closing quote.
fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(next) = memchr2(b'"', b'\\', rest) else {
            return bytes.len();
        };
        if rest.get(next) == Some(&b'"') {
            return at + next;
        }
        at += next + 2;
    }
}

/// The end of the value at `start`, if it is no container.
fn scalar_end(bytes: &[u8], start: usize) -> usize {
    if bytes.get(start) == Some(&b'"') {
        return string_end(bytes, start) + 1;
    }
    let rest = bytes.get(start..).unwrap_or_default();
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']');
    start + rest.iter().position(ends).unwrap_or(rest.len())
}

/// Whether containers nest `depth` deep or deeper.
pub(super) fn nests(json: &str, depth: usize) -> bool {
    let bytes = json.as_bytes();
    // Cheap, and enough for nearly all data.
    if memchr2_iter(b'{', b'[', bytes).count() < depth {
        return false;
    }
    let (mut open, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at),
            b'{' | b'[' => {
                open += 1;
                if open >= depth {
                    return true;
                }
            }
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    false
}
