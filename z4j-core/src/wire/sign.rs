//! The signer of one session and direction.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::canon::{canonical_value, write_text};
use super::frame::FrameType;
use super::mac::{FrameMac, SessionBinding};
use super::refusal::JsonError;
use crate::env::Env;
use crate::keys::{self, SecretKey};
use crate::limits;

/// Why a frame cannot be sent. The session lives on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The payload is not JSON that the canonical form can express.
    #[error("the payload cannot be signed")]
    Json(#[from] JsonError),
    /// The payload cannot be serialised.
    #[error("the payload cannot be written as JSON")]
    Serialize(#[source] serde_json::Error),
    /// Larger than the other end takes.
    #[error("the frame has {bytes} bytes, the other end takes {bytes_max}")]
    TooBig {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The frame type is not signed.
    #[error("hello and hello_ack are not signed")]
    Unsigned,
}

/// Stamps and signs outgoing frames.
///
/// # Contract
/// Frames must be sent in the order in which they were signed: one signer per connection, behind one lock.
#[derive(Debug)]
pub struct Signer {
    mac: FrameMac,
    env: Env,
    last_seq: u64,
    frame_bytes_max: usize,
}

impl Signer {
    /// A signer for a session that begins; its first frame has seq 1.
    #[must_use]
    pub fn new(key: &SecretKey, binding: SessionBinding, env: Env) -> Self {
        Self {
            mac: FrameMac::new(key, binding),
            env,
            last_seq: 0,
            frame_bytes_max: limits::FRAME_BYTES_MAX,
        }
    }

    /// Refuses to make frames above `bytes` instead of [`limits::FRAME_BYTES_MAX`].
    #[must_use]
    pub const fn with_frame_bytes_max(mut self, bytes: usize) -> Self {
        self.frame_bytes_max = bytes;
        self
    }

    /// The seq of the last frame signed; zero before the first.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Makes a frame of a typed payload.
    ///
    /// # Errors
    /// [`SignError`]; no seq is used up.
    pub fn sign<T: Serialize + ?Sized>(
        &mut self,
        kind: FrameType,
        id: &str,
        payload: &T,
    ) -> Result<Vec<u8>, SignError> {
        let json = serde_json::to_vec(payload).map_err(SignError::Serialize)?;
        self.sign_json(kind, id, &json)
    }

    /// Makes a frame of a payload that is JSON text already, such as one from a buffer.
    ///
    /// # Errors
    /// [`SignError`]; no seq is used up.
    pub fn sign_json(
        &mut self,
        kind: FrameType,
        id: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, SignError> {
        if !kind.is_signed() {
            return Err(SignError::Unsigned);
        }
        let body = self.body(kind, id, &canonical_value(payload)?);
        let mac = self.mac.of_canonical(&body.signed(self.mac.binding()));
        let frame = body.wire(&keys::to_hex(&mac));
        if frame.len() > self.frame_bytes_max {
            return Err(SignError::TooBig {
                bytes: frame.len(),
                bytes_max: self.frame_bytes_max,
            });
        }
        self.last_seq += 1;
        Ok(frame)
    }

    fn body(&self, kind: FrameType, id: &str, payload: &[u8]) -> Body {
        let nonce = URL_SAFE_NO_PAD.encode(self.env.secret_bytes::<{ limits::NONCE_BYTES }>());
        let mut front = Vec::with_capacity(payload.len() + 96);
        front.extend_from_slice(br#""id":"#);
        write_text(id, &mut front);
        front.extend_from_slice(format!(r#","nonce":"{nonce}","payload":"#).as_bytes());
        front.extend_from_slice(payload);
        Body {
            front,
            seq: self.last_seq + 1,
            tail: format!(r#""ts":"{}","type":"{kind}","v":2}}"#, self.env.now()),
        }
    }
}

/// A frame in pieces, all canonical: what is signed and what is sent differ only in the members between them.
struct Body {
    front: Vec<u8>,
    seq: u64,
    tail: String,
}

impl Body {
    fn signed(&self, binding: &SessionBinding) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.front.len() + 256);
        out.extend_from_slice(br#"{"agent_id":"#);
        write_text(&binding.agent_id, &mut out);
        out.push(b',');
        out.extend_from_slice(&self.front);
        out.extend_from_slice(br#","project_id":"#);
        write_text(&binding.project_id, &mut out);
        out.extend_from_slice(format!(r#","seq":{},"session_id":"#, self.seq).as_bytes());
        write_text(&binding.session_id, &mut out);
        out.push(b',');
        out.extend_from_slice(self.tail.as_bytes());
        out
    }

    fn wire(&self, mac: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.front.len() + self.tail.len() + 128);
        out.extend_from_slice(format!(r#"{{"hmac":"{mac}","#).as_bytes());
        out.extend_from_slice(&self.front);
        out.extend_from_slice(format!(r#","seq":{},"#, self.seq).as_bytes());
        out.extend_from_slice(self.tail.as_bytes());
        out
    }
}
