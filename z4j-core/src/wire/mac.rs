//! The MAC of a frame, fed by the canonical form.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::canon::{self, Sink};
use super::scan::Tape;
use crate::keys::{self, SecretKey};

/// Small pieces are gathered up to this size, because hashing many short pieces is slow.
const GATHER_BYTES: usize = 1024;

/// The texts that bind a frame to one session (wire §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionBinding {
    /// The agent's id as in hello_ack.
    pub agent_id: String,
    /// The project's id as in hello_ack.
    pub project_id: String,
    /// The session's id as in hello_ack; over long-poll the session nonce.
    pub session_id: String,
}

impl SessionBinding {
    pub(crate) fn members(&self) -> [(&str, &str); 3] {
        [
            ("agent_id", &self.agent_id),
            ("project_id", &self.project_id),
            ("session_id", &self.session_id),
        ]
    }
}

/// A project key, ready to sign the frames of one session.
#[derive(Clone)]
pub(crate) struct FrameMac {
    keyed: Hmac<Sha256>,
    binding: SessionBinding,
}

impl FrameMac {
    pub(crate) fn new(key: &SecretKey, binding: SessionBinding) -> Self {
        Self {
            keyed: key.keyed(),
            binding,
        }
    }

    pub(crate) const fn binding(&self) -> &SessionBinding {
        &self.binding
    }

    pub(crate) fn of_tape(&self, tape: &Tape<'_>) -> [u8; 32] {
        let mut sink = MacSink {
            mac: self.keyed.clone(),
            gathered: Vec::with_capacity(GATHER_BYTES),
        };
        canon::write_signed(tape, &self.binding.members(), &mut sink);
        sink.mac.update(&sink.gathered);
        sink.mac.finalize().into_bytes().into()
    }

    /// The MAC of bytes that are canonical already.
    pub(crate) fn of_canonical(&self, canonical: &[u8]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        mac.update(canonical);
        mac.finalize().into_bytes().into()
    }

    /// Whether `sent` is the lower-case hex of `mac`.
    pub(crate) fn matches(mac: &[u8; 32], sent: &str) -> bool {
        keys::same_secret(keys::to_hex(mac).as_bytes(), sent.as_bytes())
    }
}

impl fmt::Debug for FrameMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameMac")
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

struct MacSink {
    mac: Hmac<Sha256>,
    gathered: Vec<u8>,
}

impl Sink for MacSink {
    fn put(&mut self, bytes: &[u8]) {
        if self.gathered.len() + bytes.len() > GATHER_BYTES {
            self.mac.update(&self.gathered);
            self.gathered.clear();
            if bytes.len() >= GATHER_BYTES {
                self.mac.update(bytes);
                return;
            }
        }
        self.gathered.extend_from_slice(bytes);
    }
}

/// The bytes that a frame's MAC covers. For tests and for finding out why a peer's MAC differs.
///
/// # Errors
/// [`super::JsonError`] when the frame is not JSON that the canonical form can express.
pub fn signed_bytes(frame: &[u8], binding: &SessionBinding) -> Result<Vec<u8>, super::JsonError> {
    let tape = Tape::parse(frame)?;
    let mut out = Vec::with_capacity(frame.len() + 128);
    canon::write_signed(&tape, &binding.members(), &mut out);
    Ok(out)
}

/// The MAC that `frame` should carry, as lower-case hex.
///
/// # Errors
/// As [`signed_bytes`].
pub fn frame_mac(
    frame: &[u8],
    key: &SecretKey,
    binding: &SessionBinding,
) -> Result<String, super::JsonError> {
    let tape = Tape::parse(frame)?;
    Ok(keys::to_hex(
        &FrameMac::new(key, binding.clone()).of_tape(&tape),
    ))
}
