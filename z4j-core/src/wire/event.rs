//! event_batch and its acknowledgement.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::batch_stream::BatchStream;
use super::canon::{members_of, text_of};
use super::scan::{Kind, Node, Tape};
use super::{DecodeError, RawJson};
use crate::limits;

/// Events of one frame, each read for itself, so that one bad event does not cost its neighbours (wire §4.3).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventBatch<'a> {
    /// The events in the order sent.
    pub entries: Vec<BatchEntry<'a>>,
    /// Where the events stand in the agent's stream; only on links that agreed on one.
    pub stream: Option<BatchStream>,
}

/// One event of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchEntry<'a> {
    /// It could be read.
    Event(Event<'a>),
    /// It can never be stored: acknowledge, count, keep in quarantine (reliability D3).
    Malformed {
        /// The event as received.
        raw: RawJson<'a>,
        /// A stable word.
        reason: &'static str,
    },
}

/// One thing that happened (wire §5.1). Project and agent come from the session, not from here.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// The whole event as received.
    pub raw: RawJson<'a>,
    /// The agent's id of the event, stable across resends; empty when missing or no text.
    pub id: Cow<'a, str>,
    /// What happened, such as `task.received`; empty when missing or no text.
    pub kind: Cow<'a, str>,
    /// The engine, or for schedule events the scheduler.
    pub engine: Cow<'a, str>,
    /// The engine's id of the task; empty for other events.
    pub task_id: Cow<'a, str>,
    /// When it happened at its source, as sent; empty when missing or no text.
    pub occurred_at: Cow<'a, str>,
    /// More about it, by kind; null when missing. Not redacted yet.
    pub data: RawJson<'a>,
}

impl<'a> EventBatch<'a> {
    /// Reads an event_batch payload. Missing or null `events` is an empty batch.
    ///
    /// # Errors
    /// [`DecodeError`] when the payload is no object, `events` is no array or has more than
    /// [`limits::EVENTS_PER_FRAME_MAX`] entries.
    pub fn decode(payload: RawJson<'a>) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Payload<'a> {
            #[serde(borrow, default)]
            events: RawJson<'a>,
            #[serde(default)]
            stream: Option<BatchStream>,
        }
        let payload: Payload<'a> = payload.decode()?;
        if payload.events.is_null() {
            return Ok(Self {
                stream: payload.stream,
                ..Self::default()
            });
        }
        let tape = Tape::parse(payload.events.as_str().as_bytes())
            .map_err(|_| DecodeError::because("not_json"))?;
        match tape.node(0) {
            Some(node) if node.kind == Kind::Array => Ok(Self {
                stream: payload.stream,
                ..Self::from_notes(&tape, 0, node)?
            }),
            _ => Err(DecodeError::because("events_not_a_list")),
        }
    }

    pub(crate) fn from_notes(tape: &Tape<'a>, array: u32, node: Node) -> Result<Self, DecodeError> {
        let mut entries = Vec::new();
        let mut at = array + 1;
        while at < node.next {
            let Some(element) = tape.node(at) else { break };
            if entries.len() == limits::EVENTS_PER_FRAME_MAX {
                return Err(DecodeError::because("too_many_events"));
            }
            entries.push(match Event::from_notes(tape, at, element) {
                Ok(event) => BatchEntry::Event(event),
                Err(reason) => BatchEntry::Malformed {
                    raw: RawJson::known(tape.span(element)),
                    reason,
                },
            });
            at = element.next;
        }
        Ok(Self {
            entries,
            stream: None,
        })
    }

    /// The events that could be read.
    pub fn events(&self) -> impl Iterator<Item = &Event<'a>> {
        self.entries.iter().filter_map(|entry| match entry {
            BatchEntry::Event(event) => Some(event),
            BatchEntry::Malformed { .. } => None,
        })
    }
}

impl<'a> Event<'a> {
    fn from_notes(tape: &Tape<'a>, index: u32, node: Node) -> Result<Self, &'static str> {
        if node.kind != Kind::Object {
            return Err("event_not_an_object");
        }
        let mut event = Self {
            raw: RawJson::known(tape.span(node)),
            id: Cow::Borrowed(""),
            kind: Cow::Borrowed(""),
            engine: Cow::Borrowed(""),
            task_id: Cow::Borrowed(""),
            occurred_at: Cow::Borrowed(""),
            data: RawJson::NULL,
        };
        for (key, value) in members_of(tape, index) {
            let (Some(key), Some(value)) = (tape.node(key), tape.node(value)) else {
                break;
            };
            match &*text_of(tape, key) {
                "id" => event.id = text_or_empty(tape, value),
                "kind" => event.kind = text_or_empty(tape, value),
                "engine" => event.engine = name(tape, value, limits::ENGINE_CHARS_MAX)?,
                "task_id" => event.task_id = name(tape, value, limits::TASK_ID_CHARS_MAX)?,
                "occurred_at" => event.occurred_at = text_or_empty(tape, value),
                "data" => event.data = RawJson::known(tape.span(value)),
                _ => {}
            }
        }
        Ok(event)
    }
}

fn text_or_empty<'a>(tape: &Tape<'a>, node: Node) -> Cow<'a, str> {
    match node.kind {
        Kind::Text | Kind::Escaped => text_of(tape, node),
        _ => Cow::Borrowed(""),
    }
}

/// Text that names something: it must be text, or absent, and of a size that can be kept as it is.
fn name<'a>(tape: &Tape<'a>, node: Node, chars_max: usize) -> Result<Cow<'a, str>, &'static str> {
    match node.kind {
        Kind::Null => Ok(Cow::Borrowed("")),
        Kind::Text | Kind::Escaped => {
            let text = text_of(tape, node);
            let too_long = text.len() > chars_max && text.chars().count() > chars_max;
            if too_long {
                Err("name_too_long")
            } else {
                Ok(text)
            }
        }
        _ => Err("name_not_text"),
    }
}

/// Tells an agent that a batch is durable; this is what deletes it there (wire §4.4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBatchAck {
    /// The id of the event_batch frame.
    pub acked_id: String,
    /// Events in the batch.
    #[serde(default)]
    pub received: u64,
    /// Events that were new.
    #[serde(default)]
    pub accepted: u64,
    /// Events that were known already or refused.
    #[serde(default)]
    pub rejected: u64,
}
