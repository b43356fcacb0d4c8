//! Walks JSON text, asks the redactor, and writes what is left.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest, Sha256};

use super::text::cut;
use super::{FieldContext, FieldDecision, FieldValue, MARKER, Raw, Redacted, Redactor, Survey};
use crate::keys::to_hex;
use crate::limits::VALUE_DEPTH_MAX;
use crate::wire::RawJson;
use crate::wire::notes::{Kind, Node, Tape, members_of, text_of, write_text};

/// Redacts one JSON value. Text with nothing to hide is returned as it is, without a copy.
#[must_use]
pub fn redact_json<'a>(
    redactor: &dyn Redactor,
    task_name: &str,
    raw: Raw<RawJson<'a>>,
) -> Redacted<Cow<'a, str>> {
    let json = raw.into_exposed().as_str();
    let walked = catch_unwind(AssertUnwindSafe(|| match redactor.survey(json) {
        Survey::Keep => Cow::Borrowed(json),
        Survey::Mask(places) => with_markers(json, &places).map_or_else(masked_json, Cow::Owned),
        Survey::Walk => rewrite(redactor, task_name, json).map_or_else(masked_json, Cow::Owned),
    }));
    Redacted::vouch(walked.unwrap_or_else(|_| masked_json()))
}

/// Redacts text that stands for itself: a name, an error message.
#[must_use]
pub fn redact_text<'a>(redactor: &dyn Redactor, raw: Raw<&'a str>) -> Redacted<Cow<'a, str>> {
    let text = raw.into_exposed();
    let field = FieldContext::root("");
    let decided = catch_unwind(AssertUnwindSafe(|| {
        let decision = redactor.decide(&field, &FieldValue::Text(text));
        (decision, redactor.string_bytes_max())
    }));
    Redacted::vouch(match decided {
        Ok((FieldDecision::Keep, bytes_max)) => cut(text, bytes_max),
        Ok((FieldDecision::Hash, _)) => Cow::Owned(digest(redactor, text)),
        Ok((FieldDecision::Drop, _)) => Cow::Borrowed(""),
        Ok((FieldDecision::Mask, _)) | Err(_) => Cow::Borrowed(MARKER),
    })
}

/// Redacts a value tree. Costs more than [`redact_json`], and numbers are those that the tree could hold.
#[must_use]
pub fn redact_value(
    redactor: &dyn Redactor,
    task_name: &str,
    raw: Raw<serde_json::Value>,
) -> Redacted<serde_json::Value> {
    let text = raw.into_exposed().to_string();
    let kept = redact_json(redactor, task_name, Raw::new(RawJson::known(&text)));
    let value = serde_json::from_str(kept.get());
    Redacted::vouch(value.unwrap_or_else(|_| MARKER.into()))
}

/// The marker as JSON text.
const MARKER_JSON: &str = r#""[REDACTED]""#;

const fn masked_json<'a>() -> Cow<'a, str> {
    Cow::Borrowed(MARKER_JSON)
}

/// The text with markers in these places; `None` when they are no places of it, or do not ascend.
fn with_markers(json: &str, places: &[Range<usize>]) -> Option<String> {
    let mut out = String::with_capacity(json.len() + places.len() * MARKER_JSON.len());
    let mut at = 0;
    for place in places {
        out.push_str(json.get(at..place.start)?);
        json.get(place.clone())?;
        out.push_str(MARKER_JSON);
        at = place.end;
    }
    out.push_str(json.get(at..)?);
    Some(out)
}

/// `None` when the text is no JSON, or its root was dropped.
fn rewrite(redactor: &dyn Redactor, task_name: &str, json: &str) -> Option<String> {
    let tape = Tape::parse_whole(json.as_bytes()).ok()?;
    let mut walk = Walk {
        redactor,
        task_name,
        tape: &tape,
        string_bytes_max: redactor.string_bytes_max(),
        out: Vec::with_capacity(json.len()),
    };
    let field = FieldContext::root(task_name);
    let fate = walk.fate(0, &field, false)?;
    walk.write(0, 0, &fate);
    String::from_utf8(walk.out).ok()
}

struct Walk<'r, 't, 'a> {
    redactor: &'r dyn Redactor,
    task_name: &'r str,
    tape: &'t Tape<'a>,
    string_bytes_max: usize,
    out: Vec<u8>,
}

/// What becomes of a value that is written at all.
enum Fate {
    Keep,
    Mask,
    Hash,
}

impl<'a> Walk<'_, '_, 'a> {
    /// Asks about one value; `None` drops it.
    fn fate(&self, index: u32, field: &FieldContext<'_>, masked: bool) -> Option<Fate> {
        let node = self.tape.node(index)?;
        if masked || field.depth >= VALUE_DEPTH_MAX {
            return Some(Fate::Mask);
        }
        let text;
        let value = match node.kind {
            Kind::Null => FieldValue::Null,
            Kind::Bool => FieldValue::Bool(self.tape.span(node) == "true"),
            Kind::Int | Kind::Float => FieldValue::Number(self.tape.span(node)),
            Kind::Text | Kind::Escaped => {
                text = text_of(self.tape, node);
                FieldValue::Text(&text)
            }
            Kind::Array => FieldValue::Array,
            Kind::Object => FieldValue::Object,
        };
        match self.redactor.decide(field, &value) {
            FieldDecision::Keep => Some(Fate::Keep),
            FieldDecision::Mask => Some(Fate::Mask),
            FieldDecision::Hash => Some(Fate::Hash),
            FieldDecision::Drop => None,
        }
    }

    fn write(&mut self, index: u32, depth: usize, fate: &Fate) {
        let Some(node) = self.tape.node(index) else {
            return;
        };
        let masked = matches!(fate, Fate::Mask);
        match (node.kind, fate) {
            (_, Fate::Mask) if depth >= VALUE_DEPTH_MAX => write_text(MARKER, &mut self.out),
            (_, Fate::Hash) => {
                let digest = digest(self.redactor, self.tape.span(node));
                write_text(&digest, &mut self.out);
            }
            (Kind::Array, _) => self.array(index, node, depth, masked),
            (Kind::Object, _) => self.object(index, depth, masked),
            (_, Fate::Mask) => write_text(MARKER, &mut self.out),
            (Kind::Text | Kind::Escaped, Fate::Keep) => self.text(node),
            (Kind::Null | Kind::Bool | Kind::Int | Kind::Float, Fate::Keep) => {
                self.out.extend_from_slice(self.tape.span(node).as_bytes());
            }
        }
    }

    fn text(&mut self, node: Node) {
        let span = self.tape.span(node);
        if span.len() <= self.string_bytes_max {
            self.out.extend_from_slice(span.as_bytes());
            return;
        }
        let text = text_of(self.tape, node);
        write_text(&cut(&text, self.string_bytes_max), &mut self.out);
    }

    fn array(&mut self, index: u32, node: Node, depth: usize, masked: bool) {
        self.out.push(b'[');
        let field = FieldContext {
            task_name: self.task_name,
            key: None,
            depth: depth + 1,
        };
        let (mut at, mut first) = (index + 1, true);
        while at < node.next {
            if let Some(fate) = self.fate(at, &field, masked) {
                self.comma(&mut first);
                self.write(at, depth + 1, &fate);
            }
            at = self.tape.node(at).map_or(node.next, |element| element.next);
        }
        self.out.push(b']');
    }

    fn object(&mut self, index: u32, depth: usize, masked: bool) {
        // A key keeps the place of its first appearance and the value of its last.
        let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
        let mut members: Vec<(Cow<'a, str>, u32, Fate)> = Vec::new();
        for (key, value) in members_of(self.tape, index) {
            let Some(node) = self.tape.node(key) else {
                break;
            };
            let name = text_of(self.tape, node);
            let Some(shown) = self.name(&name, depth) else {
                continue;
            };
            let field = FieldContext {
                task_name: self.task_name,
                key: Some(&name),
                depth: depth + 1,
            };
            let Some(fate) = self.fate(value, &field, masked) else {
                continue;
            };
            match places.get(&shown).and_then(|place| members.get_mut(*place)) {
                Some(member) => (member.1, member.2) = (value, fate),
                None => {
                    places.insert(shown.clone(), members.len());
                    members.push((shown, value, fate));
                }
            }
        }
        self.out.push(b'{');
        let mut first = true;
        for (name, value, fate) in members {
            self.comma(&mut first);
            write_text(&name, &mut self.out);
            self.out.push(b':');
            self.write(value, depth + 1, &fate);
        }
        self.out.push(b'}');
    }

    /// The key as it is shown; `None` drops the member.
    fn name(&self, name: &Cow<'a, str>, depth: usize) -> Option<Cow<'a, str>> {
        let field = FieldContext {
            task_name: self.task_name,
            key: None,
            depth: depth + 1,
        };
        match self.redactor.decide(&field, &FieldValue::Name(name)) {
            FieldDecision::Keep if name.len() <= self.string_bytes_max => Some(name.clone()),
            FieldDecision::Keep => Some(Cow::Owned(cut(name, self.string_bytes_max).into_owned())),
            FieldDecision::Mask => Some(Cow::Borrowed(MARKER)),
            FieldDecision::Hash => Some(Cow::Owned(digest(self.redactor, name))),
            FieldDecision::Drop => None,
        }
    }

    fn comma(&mut self, first: &mut bool) {
        if !std::mem::take(first) {
            self.out.push(b',');
        }
    }
}

/// Sixteen hex digits that are equal for equal text under one policy.
fn digest(redactor: &dyn Redactor, text: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(redactor.policy().as_str().as_bytes());
    hasher.update([0]);
    hasher.update(text.as_bytes());
    let digits = to_hex(&hasher.finalize());
    format!("[HASH:{}]", digits.get(..16).unwrap_or_default())
}
