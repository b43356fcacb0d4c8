//! The canonical form (wire §3.3), written into any sink.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::number;
use super::refusal::JsonError;
use super::scan::{Kind, Node, Tape};

/// Takes canonical bytes piece by piece.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The canonical form of one JSON value: what schedule digests and the audit chain hash.
///
/// # Errors
/// [`JsonError`] when `json` is no JSON, or holds what the form cannot express.
///
/// ```
/// let canonical = z4j_core::wire::canonical_value(br#"{"b": 1.0, "a": "\u00e9"}"#)?;
/// assert_eq!(canonical, r#"{"a":"é","b":1.0}"#.as_bytes());
/// # Ok::<(), z4j_core::wire::JsonError>(())
/// ```
pub fn canonical_value(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    let tape = Tape::parse(json)?;
    let mut out = Vec::with_capacity(json.len());
    Writer::new(&tape).value(0, &mut out);
    Ok(out)
}

/// Writes the signed bytes of a frame (wire §3.2): without `hmac`, with the three session members set.
pub(crate) fn write_signed(tape: &Tape<'_>, session: &[(&str, &str); 3], out: &mut impl Sink) {
    let mut members: Vec<(Cow<'_, str>, Source<'_>)> = session
        .iter()
        .map(|(key, value)| (Cow::Borrowed(*key), Source::Session(value)))
        .collect();
    let mut writer = Writer::new(tape);
    for (key, value) in members_of(tape, 0) {
        let name = writer.key_text(key);
        if name != "hmac" && !session.iter().any(|(own, _)| *own == name) {
            members.push((name, Source::Received(key, value)));
        }
    }
    members.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    out.put(b"{");
    let mut first = true;
    for (index, (name, source)) in members.iter().enumerate() {
        if members.get(index + 1).is_some_and(|later| later.0 == *name) {
            continue;
        }
        if !first {
            out.put(b",");
        }
        first = false;
        match source {
            Source::Session(value) => {
                write_text(name, out);
                out.put(b":");
                write_text(value, out);
            }
            Source::Received(key, value) => writer.member(*key, *value, out),
        }
    }
    out.put(b"}");
}

enum Source<'a> {
    Session(&'a str),
    Received(u32, u32),
}

/// Key and value note of each member of an object that is not verbatim.
pub(crate) fn members_of<'t>(
    tape: &'t Tape<'_>,
    object: u32,
) -> impl Iterator<Item = (u32, u32)> + 't {
    let end = tape.node(object).map_or(0, |node| node.next);
    let mut at = object + 1;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let (key, value) = (at, at + 1);
        at = tape.node(value)?.next;
        Some((key, value))
    })
}

struct Writer<'t, 'a> {
    tape: &'t Tape<'a>,
    /// Members that wait to be sorted and written, of all open objects.
    members: Vec<Member>,
}

#[derive(Clone, Copy)]
struct Member {
    /// The first eight bytes of the key, so that most comparisons end here.
    prefix: u64,
    key: u32,
    value: u32,
}

impl Member {
    fn new(tape: &Tape<'_>, (key, value): (u32, u32)) -> Self {
        let name = tape
            .node(key)
            .map(|node| text_of(tape, node))
            .unwrap_or_default();
        let mut head = [0; 8];
        for (to, from) in head.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        Self {
            prefix: u64::from_be_bytes(head),
            key,
            value,
        }
    }

    fn compare(&self, other: &Self, tape: &Tape<'_>) -> Ordering {
        self.prefix
            .cmp(&other.prefix)
            .then_with(|| compare_keys(tape, self.key, other.key))
    }
}

impl<'t, 'a> Writer<'t, 'a> {
    const fn new(tape: &'t Tape<'a>) -> Self {
        Self {
            tape,
            members: Vec::new(),
        }
    }

    fn value(&mut self, index: u32, out: &mut impl Sink) {
        let Some(node) = self.tape.node(index) else {
            return;
        };
        if node.verbatim {
            out.put(self.tape.span(node).as_bytes());
            return;
        }
        match node.kind {
            Kind::Object => self.object(index, out),
            Kind::Array => self.array(index, node, out),
            Kind::Text | Kind::Escaped => write_text(&text_of(self.tape, node), out),
            Kind::Float => {
                if let Ok(text) = number::float_text(self.tape.span(node)) {
                    out.put(text.as_bytes());
                }
            }
            // The only integer that is not canonical as it stands is minus zero.
            Kind::Int => out.put(b"0"),
            Kind::Null | Kind::Bool => out.put(self.tape.span(node).as_bytes()),
        }
    }

    fn array(&mut self, index: u32, node: Node, out: &mut impl Sink) {
        out.put(b"[");
        let mut at = index + 1;
        while at < node.next {
            if at != index + 1 {
                out.put(b",");
            }
            self.value(at, out);
            at = self.tape.node(at).map_or(node.next, |element| element.next);
        }
        out.put(b"]");
    }

    fn object(&mut self, index: u32, out: &mut impl Sink) {
        let base = self.members.len();
        let tape = self.tape;
        self.members
            .extend(members_of(tape, index).map(|pair| Member::new(tape, pair)));
        if let Some(own) = self.members.get_mut(base..) {
            own.sort_by(|a, b| a.compare(b, tape));
        }
        out.put(b"{");
        let mut first = true;
        let end = self.members.len();
        for at in base..end {
            let Some(member) = self.members.get(at).copied() else {
                break;
            };
            let later = self.members.get(at + 1..end).and_then(<[_]>::first);
            if later.is_some_and(|later| member.compare(later, tape).is_eq()) {
                continue;
            }
            if !first {
                out.put(b",");
            }
            first = false;
            self.member(member.key, member.value, out);
        }
        out.put(b"}");
        self.members.truncate(base);
    }

    fn member(&mut self, key: u32, value: u32, out: &mut impl Sink) {
        let (Some(name), Some(node)) = (self.tape.node(key), self.tape.node(value)) else {
            return;
        };
        if name.verbatim && node.verbatim && node.start == name.end + 1 {
            out.put(self.tape.slice(name.start, node.end).as_bytes());
            return;
        }
        self.value(key, out);
        out.put(b":");
        self.value(value, out);
    }

    fn key_text(&self, key: u32) -> Cow<'a, str> {
        self.tape
            .node(key)
            .map_or(Cow::Borrowed(""), |node| text_of(self.tape, node))
    }
}

fn compare_keys(tape: &Tape<'_>, a: u32, b: u32) -> Ordering {
    let (Some(a), Some(b)) = (tape.node(a), tape.node(b)) else {
        return Ordering::Equal;
    };
    if a.kind == Kind::Text && b.kind == Kind::Text {
        return inner(tape, a).as_bytes().cmp(inner(tape, b).as_bytes());
    }
    text_of(tape, a).as_bytes().cmp(text_of(tape, b).as_bytes())
}

fn inner<'a>(tape: &Tape<'a>, node: Node) -> &'a str {
    tape.slice(node.start + 1, node.end.saturating_sub(1))
}

/// The text of a string without its quotes and escapes.
pub(crate) fn text_of<'a>(tape: &Tape<'a>, node: Node) -> Cow<'a, str> {
    let inner = inner(tape, node);
    if node.kind == Kind::Text {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(unescape(inner))
}

/// Resolves the escapes of text that a scanner has checked.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = tail.chars();
        chars.next();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let high = take_hex(&mut chars);
                let code = if (0xD800..0xDC00).contains(&high) {
                    chars.nth(1);
                    let low = take_hex(&mut chars);
                    0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF)
                } else {
                    high
                };
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

fn take_hex(chars: &mut std::str::Chars<'_>) -> u32 {
    (0..4).fold(0, |sum, _| {
        let digit = chars.next().and_then(|digit| digit.to_digit(16));
        sum * 16 + digit.unwrap_or(0)
    })
}

/// Writes `text` as a canonical JSON string.
pub(crate) fn write_text(text: &str, out: &mut impl Sink) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.put(b"\"");
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F))
    {
        let (plain, tail) = rest.split_at(at);
        out.put(plain);
        let Some((byte, after)) = tail.split_first() else {
            break;
        };
        match byte {
            b'"' => out.put(br#"\""#),
            b'\\' => out.put(br"\\"),
            0x08 => out.put(br"\b"),
            0x09 => out.put(br"\t"),
            0x0A => out.put(br"\n"),
            0x0C => out.put(br"\f"),
            0x0D => out.put(br"\r"),
            other => {
                let low = HEX.get(usize::from(other & 0xF)).copied().unwrap_or(b'0');
                out.put(&[b'\\', b'u', b'0', b'0', b'0' + (other >> 4), low]);
            }
        }
        rest = after;
    }
    out.put(rest);
    out.put(b"\"");
}
