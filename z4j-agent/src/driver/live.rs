//! A session between hello_ack and the end of its link.

use std::time::Duration;

use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::limits;
use z4j_core::wire::{
    self, CloseCode, ErrorFrame, Frame, Received, Refusal, SessionBinding, Signer, Verifier,
};

use super::FailureClass;
use crate::buffer::EventBuffer;
use crate::commands::{CommandDesk, JobRequest};

/// What a frame needs beside its payload, in bytes: id, nonce, time, sequence, MAC.
const ENVELOPE_BYTES: usize = 512;
/// How long a heartbeat waits for the engines to say how they are.
pub(crate) const HEALTH_WAIT: Duration = Duration::from_secs(5);
/// Codes of fatal error frames after which only a change of versions helps (wire §1.1).
const INCOMPATIBLE: [&str; 3] = [
    "scheduler_upgrade_required",
    "agent_incompatible",
    "protocol_incompatible",
];

/// Why the agent gives a link up.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) class: FailureClass,
    pub(super) close: CloseCode,
    pub(super) reason: &'static str,
    pub(super) skew_ms: Option<i64>,
}

impl Fault {
    const fn of_class(class: FailureClass, reason: &'static str) -> Self {
        Self {
            class,
            close: CloseCode::Normal,
            reason,
            skew_ms: None,
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self {
            class: FailureClass::Connection,
            close: refusal.close_code_live(),
            reason: refusal.reason(),
            skew_ms: refusal.skew_ms(),
        }
    }
}

/// What the frame under way holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transit {
    Answer,
    Other,
}

#[derive(Clone, Copy, Debug)]
enum Beat {
    /// The next one is due at this time.
    At(Duration),
    /// It is due, and the engines must be asked first.
    AskEngines,
    /// It waits for the engines, at most until this time.
    Awaiting(Duration),
    /// It can be written.
    Ready,
    /// The heartbeat was written, its status follows.
    Status,
}

/// Signer, verifier and the rhythm of one session.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) signer: Signer,
    verifier: Verifier,
    payload_bytes_max: usize,
    heartbeat_every: Duration,
    beat: Beat,
    since: Duration,
    acked: bool,
    transit: Option<Transit>,
}

impl Live {
    /// Reads the answer to hello.
    pub(super) fn begin(frame: &[u8], key: &SecretKey, env: &Env) -> Result<Self, Fault> {
        let ack = wire::decode_hello_ack(frame)?;
        if ack.protocol_version != limits::PROTOCOL_VERSION_TEXT {
            return Err(Fault::of_class(FailureClass::Incompatible, "other_version"));
        }
        let binding = SessionBinding {
            agent_id: ack.agent_id,
            project_id: ack.project_id,
            session_id: ack.session_id,
        };
        let frame_bytes_max =
            usize::try_from(ack.max_frame_size_bytes).unwrap_or(limits::FRAME_BYTES_MAX);
        let frame_bytes_max = frame_bytes_max.min(limits::FRAME_BYTES_MAX);
        Ok(Self {
            signer: Signer::new(key, binding.clone(), env.clone())
                .with_frame_bytes_max(frame_bytes_max),
            verifier: Verifier::new(key, binding),
            payload_bytes_max: frame_bytes_max.saturating_sub(ENVELOPE_BYTES),
            heartbeat_every: Duration::from_secs(u64::from(ack.heartbeat_interval_seconds.max(1))),
            beat: Beat::AskEngines,
            since: env.elapsed(),
            acked: false,
            transit: None,
        })
    }

    pub(super) const fn payload_bytes_max(&self) -> usize {
        self.payload_bytes_max
    }

    pub(super) fn is_good(&self, now: Duration) -> bool {
        self.acked || now >= self.since + limits::GOOD_SESSION
    }

    pub(super) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }

    /// Verifies a frame and does what it says; a command may give a job.
    pub(super) fn take(
        &mut self,
        frame: &[u8],
        env: &Env,
        buffer: &mut EventBuffer,
        desk: &mut CommandDesk,
        now: Duration,
    ) -> Result<Option<JobRequest>, Fault> {
        let verified = self.verifier.verify(frame, Received::now(env))?;
        let decoded = verified
            .decode()
            .map_err(|_| Fault::from(Refusal::Malformed))?;
        match decoded {
            Frame::EventBatchAck(ack) => {
                if !ack.acked_id.is_empty() {
                    self.acked = true;
                    buffer.acknowledge(&ack.acked_id);
                }
                Ok(None)
            }
            Frame::Command(command) => Ok(desk.receive(&verified.id, &command, now)),
            Frame::Error(error) if error.fatal => Err(fatal(&error)),
            // Of no use to an agent, but no reason to end the session (wire §4).
            Frame::Error(_)
            | Frame::EventBatch(_)
            | Frame::Heartbeat(_)
            | Frame::AgentStatus(_)
            | Frame::CommandAck(_)
            | Frame::CommandResult(_)
            | Frame::RegistryDelta(_) => Ok(None),
        }
    }

    // ---- the frame under way --------------------------------------------------------------------

    pub(super) const fn sending(&mut self, transit: Transit) {
        self.transit = Some(transit);
    }

    /// The link took the frame; says whether it was an answer to a command.
    pub(super) fn sent(&mut self) -> bool {
        self.transit.take() == Some(Transit::Answer)
    }

    // ---- heartbeat ------------------------------------------------------------------------------

    pub(super) fn take_health_request(&mut self, now: Duration) -> bool {
        let due = match self.beat {
            Beat::At(at) => now >= at,
            Beat::AskEngines => true,
            Beat::Awaiting(_) | Beat::Ready | Beat::Status => false,
        };
        if due {
            self.beat = Beat::Awaiting(now + HEALTH_WAIT);
        }
        due
    }

    pub(super) fn health_arrived(&mut self) {
        if matches!(self.beat, Beat::Awaiting(_)) {
            self.beat = Beat::Ready;
        }
    }

    /// Whether a heartbeat must be written now.
    pub(super) fn heartbeat_due(&self, now: Duration) -> bool {
        match self.beat {
            Beat::Ready => true,
            Beat::Awaiting(until) => now >= until,
            Beat::At(_) | Beat::AskEngines | Beat::Status => false,
        }
    }

    pub(super) const fn heartbeat_written(&mut self) {
        self.beat = Beat::Status;
    }

    pub(super) const fn status_due(&self) -> bool {
        matches!(self.beat, Beat::Status)
    }

    pub(super) fn status_written(&mut self, now: Duration) {
        self.beat = Beat::At(now + self.heartbeat_every);
    }

    pub(super) fn wake_at(&self) -> Duration {
        match self.beat {
            Beat::At(at) | Beat::Awaiting(at) => at,
            Beat::AskEngines | Beat::Ready | Beat::Status => Duration::ZERO,
        }
    }
}

fn fatal(error: &ErrorFrame) -> Fault {
    if INCOMPATIBLE.contains(&error.code.as_str()) {
        Fault::of_class(
            FailureClass::Incompatible,
            "the brain cannot work with this agent",
        )
    } else {
        Fault::of_class(FailureClass::Protocol, "the brain reported a fatal error")
    }
}
