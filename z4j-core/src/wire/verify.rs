//! The verifier of one session and direction.

use super::envelope::{Envelope, Verified};
use super::frame::FrameType;
use super::guard::{Received, ReplayGuard};
use super::mac::{FrameMac, SessionBinding};
use super::scan::Kind;
use super::{CommandStatus, RawJson, Refusal, TelemetryLoss};
use crate::keys::SecretKey;
use crate::limits;

/// Checks received frames in the order of wire §3.4.
///
/// # Contract
/// One verifier belongs to one session id and one direction. Frames must be given in the order received.
#[derive(Debug)]
pub struct Verifier {
    mac: FrameMac,
    guard: ReplayGuard,
    frame_bytes_max: usize,
}

impl Verifier {
    /// A verifier for a session that begins.
    #[must_use]
    pub fn new(key: &SecretKey, binding: SessionBinding) -> Self {
        Self {
            mac: FrameMac::new(key, binding),
            guard: ReplayGuard::new(),
            frame_bytes_max: limits::FRAME_BYTES_MAX,
        }
    }

    /// Refuses frames above `bytes` instead of [`limits::FRAME_BYTES_MAX`].
    #[must_use]
    pub const fn with_frame_bytes_max(mut self, bytes: usize) -> Self {
        self.frame_bytes_max = bytes;
        self
    }

    /// The session that frames must belong to.
    #[must_use]
    pub const fn binding(&self) -> &SessionBinding {
        self.mac.binding()
    }

    /// Takes a frame, or says why not. A refused frame changes nothing here.
    ///
    /// # Errors
    /// The first [`Refusal`] in the order of wire §3.4.
    pub fn verify<'a>(
        &mut self,
        frame: &'a [u8],
        received: Received,
    ) -> Result<Verified<'a>, Refusal> {
        let checked = self.check(frame)?;
        let ts = checked
            .envelope
            .with_stamp(|stamp| self.guard.admit(stamp, received))?;
        Ok(Verified {
            kind: checked.kind,
            id: checked.envelope.id().ok_or(Refusal::Malformed)?,
            ts,
            seq: self.guard.last_seq(),
            payload: checked.payload,
            envelope: checked.envelope,
        })
    }

    /// Everything but the replay guard; needs no order, so it may run on any thread.
    fn check<'a>(&self, frame: &'a [u8]) -> Result<Checked<'a>, Refusal> {
        if frame.len() > self.frame_bytes_max {
            return Err(Refusal::TooBig);
        }
        let envelope = Envelope::parse(frame)?;
        envelope.check_version(false)?;
        let kind = envelope.kind()?;
        if !kind.is_signed() {
            return Err(Refusal::Malformed);
        }
        let payload = envelope.payload()?;
        let sent = envelope.sent_mac().ok_or(Refusal::Hmac)?;
        if !FrameMac::matches(&self.mac.of_tape(&envelope.tape), &sent) {
            return Err(Refusal::Hmac);
        }
        if envelope.id().is_none_or(|id| id.is_empty()) {
            return Err(Refusal::Malformed);
        }
        check_payload(&envelope, kind)?;
        Ok(Checked {
            envelope,
            kind,
            payload,
        })
    }
}

struct Checked<'a> {
    envelope: Envelope<'a>,
    kind: FrameType,
    payload: RawJson<'a>,
}

/// The two payload rules that end a session (wire §3.4 step 6). All else is left to decoding.
fn check_payload(envelope: &Envelope<'_>, kind: FrameType) -> Result<(), Refusal> {
    let member = |name| {
        envelope
            .payload_member(name)
            .map(|(_, node)| (node.kind, RawJson::known(envelope.tape.span(node))))
    };
    let sound = match kind {
        FrameType::CommandResult => {
            member("status").is_some_and(|(_, raw)| raw.decode::<CommandStatus>().is_ok())
        }
        FrameType::Heartbeat | FrameType::AgentStatus => match member("telemetry_loss") {
            None | Some((Kind::Null, _)) => true,
            Some((_, raw)) => raw
                .decode::<TelemetryLoss>()
                .is_ok_and(|loss| loss.is_within_limits()),
        },
        _ => true,
    };
    if sound {
        Ok(())
    } else {
        Err(Refusal::Malformed)
    }
}
