//! The members around a payload, found in one pass.

use std::borrow::Cow;

use super::canon::{members_of, text_of};
use super::frame::{Frame, FrameType};
use super::guard::Stamp;
use super::scan::{Kind, Node, Tape};
use super::{DecodeError, EventBatch, RawJson, Refusal};
use crate::time::Timestamp;

/// Where the members of a frame lie. Of a repeated member the last counts, as in the signed bytes.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) tape: Tape<'a>,
    members: [Option<u32>; MEMBERS.len()],
}

const MEMBERS: [&str; 8] = ["v", "type", "id", "ts", "nonce", "seq", "hmac", "payload"];
const V: usize = 0;
const TYPE: usize = 1;
const ID: usize = 2;
const TS: usize = 3;
const NONCE: usize = 4;
const SEQ: usize = 5;
const HMAC: usize = 6;
const PAYLOAD: usize = 7;

impl<'a> Envelope<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let tape = Tape::parse(bytes)?;
        if tape.node(0).is_none_or(|node| node.kind != Kind::Object) {
            return Err(Refusal::NotObject);
        }
        let mut members = [None; MEMBERS.len()];
        for (key, value) in members_of(&tape, 0) {
            let name = tape
                .node(key)
                .map(|node| text_of(&tape, node))
                .unwrap_or_default();
            let known = MEMBERS.iter().position(|member| *member == name);
            if let Some(slot) = known.and_then(|known| members.get_mut(known)) {
                *slot = Some(value);
            }
        }
        Ok(Self { tape, members })
    }

    fn node(&self, member: usize) -> Option<Node> {
        let index = self.members.get(member).copied().flatten()?;
        self.tape.node(index)
    }

    fn text(&self, member: usize) -> Option<Cow<'a, str>> {
        let node = self.node(member)?;
        matches!(node.kind, Kind::Text | Kind::Escaped).then(|| text_of(&self.tape, node))
    }

    /// Checks `v`. A handshake frame may leave it out.
    pub(crate) fn check_version(&self, may_lack: bool) -> Result<(), Refusal> {
        match self.node(V) {
            None if may_lack => Ok(()),
            Some(node) if node.kind == Kind::Int => match self.tape.span(node) {
                "2" => Ok(()),
                _ => Err(Refusal::OtherVersion),
            },
            _ => Err(Refusal::BadVersion),
        }
    }

    pub(crate) fn kind(&self) -> Result<FrameType, Refusal> {
        self.text(TYPE)
            .and_then(|text| text.parse().ok())
            .ok_or(Refusal::UnknownType)
    }

    pub(crate) fn id(&self) -> Option<Cow<'a, str>> {
        self.text(ID)
    }

    pub(crate) fn sent_mac(&self) -> Option<Cow<'a, str>> {
        self.text(HMAC)
    }

    pub(crate) fn with_stamp<T>(&self, look: impl FnOnce(Stamp<'_>) -> T) -> T {
        let (nonce, ts) = (self.text(NONCE), self.text(TS));
        look(Stamp {
            seq: self.seq(),
            nonce: nonce.as_deref(),
            ts: ts.as_deref(),
        })
    }

    pub(crate) fn seq(&self) -> Option<u64> {
        let node = self.node(SEQ)?;
        (node.kind == Kind::Int).then(|| self.tape.span(node).parse().ok())?
    }

    /// The payload; a missing or null one is an empty object.
    pub(crate) fn payload(&self) -> Result<RawJson<'a>, Refusal> {
        match self.node(PAYLOAD) {
            None => Ok(RawJson::EMPTY_OBJECT),
            Some(node) if node.kind == Kind::Null => Ok(RawJson::EMPTY_OBJECT),
            Some(node) if node.kind == Kind::Object => Ok(RawJson::known(self.tape.span(node))),
            Some(_) => Err(Refusal::Malformed),
        }
    }

    /// The last member of the payload that is called `name`.
    pub(crate) fn payload_member(&self, name: &str) -> Option<(u32, Node)> {
        let payload = self.members.get(PAYLOAD).copied().flatten()?;
        self.tape
            .node(payload)
            .filter(|node| node.kind == Kind::Object)?;
        let mut found = None;
        for (key, value) in members_of(&self.tape, payload) {
            if self
                .tape
                .node(key)
                .is_some_and(|node| text_of(&self.tape, node) == name)
            {
                found = Some(value);
            }
        }
        found.and_then(|index| self.tape.node(index).map(|node| (index, node)))
    }

    fn events(&self) -> Result<EventBatch<'a>, DecodeError> {
        let mut batch = match self.payload_member("events") {
            None => EventBatch::default(),
            Some((_, node)) if node.kind == Kind::Null => EventBatch::default(),
            Some((index, node)) if node.kind == Kind::Array => {
                EventBatch::from_notes(&self.tape, index, node)?
            }
            Some(_) => return Err(DecodeError::because("events_not_a_list")),
        };
        if let Some((_, node)) = self.payload_member("stream") {
            batch.stream = RawJson::known(self.tape.span(node)).decode()?;
        }
        Ok(batch)
    }
}

/// A frame whose MAC, order and time were found right. Borrows from the received bytes.
#[derive(Debug)]
pub struct Verified<'a> {
    /// What kind of frame.
    pub kind: FrameType,
    /// Its id: correlation, and what an ack names.
    pub id: Cow<'a, str>,
    /// When it was sent.
    pub ts: Timestamp,
    /// Its position in the session.
    pub seq: u64,
    /// The payload as received; an empty object when there is none.
    pub payload: RawJson<'a>,
    pub(crate) envelope: Envelope<'a>,
}

impl<'a> Verified<'a> {
    /// Reads the payload. A failure here costs the frame, not the session: acknowledge and count it (reliability D3).
    ///
    /// # Errors
    /// [`DecodeError`] when the payload does not have the members that its type requires.
    pub fn decode(&self) -> Result<Frame<'a>, DecodeError> {
        if self.kind == FrameType::EventBatch {
            return self.envelope.events().map(Frame::EventBatch);
        }
        Frame::decode(self.kind, self.payload)
    }
}
