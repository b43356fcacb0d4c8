//! Unsigned frames, and ids of frames.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::canon::write_text;
use super::envelope::Envelope;
use super::frame::FrameType;
use super::{Hello, HelloAck, Refusal};
use crate::env::Env;
use crate::keys::to_hex;
use crate::limits;

/// Writes a hello frame.
///
/// # Errors
/// The serialiser's, which a hello made of text and numbers does not cause.
pub fn encode_hello(id: &str, hello: &Hello) -> Result<Vec<u8>, serde_json::Error> {
    encode_unsigned(FrameType::Hello, id, hello)
}

/// Writes a hello_ack frame.
///
/// # Errors
/// As [`encode_hello`].
pub fn encode_hello_ack(id: &str, ack: &HelloAck) -> Result<Vec<u8>, serde_json::Error> {
    encode_unsigned(FrameType::HelloAck, id, ack)
}

fn encode_unsigned<T: Serialize>(
    kind: FrameType,
    id: &str,
    payload: &T,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(br#"{"v":2,"type":""#);
    out.extend_from_slice(kind.as_str().as_bytes());
    out.extend_from_slice(br#"","id":"#);
    write_text(id, &mut out);
    out.extend_from_slice(br#","ts":null,"payload":"#);
    serde_json::to_writer(&mut out, payload)?;
    out.push(b'}');
    Ok(out)
}

/// The one member of a hello that every version has.
#[derive(Deserialize)]
struct Spoken<'a> {
    #[serde(borrow)]
    protocol_version: Cow<'a, str>,
}

/// Reads the first frame of an agent, with its id.
///
/// # Errors
/// A [`Refusal`]: [`Refusal::NotHello`] for another known type, [`Refusal::OtherProtocol`] for a hello that cannot be
/// read and speaks another `protocol_version`. One that can be read is returned, whatever it speaks.
pub fn decode_hello(frame: &[u8]) -> Result<(String, Hello), Refusal> {
    let envelope = open_unsigned(frame, FrameType::Hello)?;
    let payload = envelope.payload()?;
    let hello: Hello = payload.decode().map_err(|_| {
        let spoken = payload.decode::<Spoken<'_>>();
        let other =
            spoken.is_ok_and(|spoken| spoken.protocol_version != limits::PROTOCOL_VERSION_TEXT);
        if other {
            Refusal::OtherProtocol
        } else {
            Refusal::Malformed
        }
    })?;
    if !hello.is_within_limits() {
        return Err(Refusal::Malformed);
    }
    Ok((envelope.id().unwrap_or_default().into_owned(), hello))
}

/// Reads the answer to a hello. Its `protocol_version` is not judged here.
///
/// # Errors
/// A [`Refusal`]; [`Refusal::NotHello`] for another known type.
pub fn decode_hello_ack(frame: &[u8]) -> Result<HelloAck, Refusal> {
    let envelope = open_unsigned(frame, FrameType::HelloAck)?;
    let ack: HelloAck = envelope
        .payload()?
        .decode()
        .map_err(|_| Refusal::Malformed)?;
    if ack.protocol_version == limits::PROTOCOL_VERSION_TEXT && !ack.is_within_limits() {
        return Err(Refusal::Malformed);
    }
    Ok(ack)
}

fn open_unsigned(frame: &[u8], kind: FrameType) -> Result<Envelope<'_>, Refusal> {
    if frame.len() > limits::FRAME_BYTES_MAX {
        return Err(Refusal::TooBig);
    }
    let envelope = Envelope::parse(frame)?;
    envelope.check_version(true)?;
    if envelope.kind()? != kind {
        return Err(Refusal::NotHello);
    }
    let id = envelope.id().ok_or(Refusal::Malformed)?;
    if !(1..=limits::FRAME_ID_CHARS_MAX).contains(&id.chars().count()) {
        return Err(Refusal::Malformed);
    }
    Ok(envelope)
}

/// A new id for a frame that is no answer: `ev_` and 32 hex digits for a batch, shorter ones for the rest.
#[must_use]
pub fn new_frame_id(kind: FrameType, env: &Env) -> String {
    let digits = to_hex(&env.secret_bytes::<16>());
    let (prefix, length) = match kind {
        FrameType::Hello => ("hello", 16),
        FrameType::HelloAck => ("hack", 12),
        FrameType::EventBatch => ("ev", 32),
        FrameType::Heartbeat => ("hb", 12),
        FrameType::AgentStatus => ("as", 12),
        FrameType::EventBatchAck => ("eba", 32),
        FrameType::Command | FrameType::CommandAck | FrameType::CommandResult => ("cmd", 32),
        FrameType::RegistryDelta => ("rd", 12),
        FrameType::Error => ("err", 12),
    };
    format!("{prefix}_{}", digits.get(..length).unwrap_or_default())
}

/// The id of the frame that acknowledges `batch_id`, cut to what a frame id may be long.
#[must_use]
pub fn ack_frame_id(batch_id: &str) -> String {
    "eba_"
        .chars()
        .chain(batch_id.chars())
        .take(limits::FRAME_ID_CHARS_MAX)
        .collect()
}
