//! A session between hello_ack and the end of its link.

use std::time::Duration;

use z4j_core::env::Env;
use z4j_core::limits;
use z4j_core::session::{AgentInput, AgentSession, Established, Failure, FailureClass};
use z4j_core::wire::{Frame, Received, Signer};

use crate::buffer::EventBuffer;
use crate::commands::{CommandDesk, JobRequest};

/// What a frame needs beside its events, in bytes: id, nonce, time, sequence, MAC, and the place in the stream.
const ENVELOPE_BYTES: usize = 1024;
/// How long a heartbeat waits for the engines to say how they are.
pub(super) const HEALTH_WAIT: Duration = Duration::from_secs(5);

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

/// Session, signer and the rhythm of both.
#[derive(Debug)]
pub(super) struct Live {
    session: AgentSession,
    pub(super) signer: Signer,
    payload_bytes_max: usize,
    heartbeat_every: Duration,
    beat: Beat,
    has_greeted: bool,
    since: Duration,
    had_ack: bool,
    transit: Option<Transit>,
}

impl Live {
    /// A session whose hello was answered.
    pub(super) fn new(session: AgentSession, established: Established, now: Duration) -> Self {
        let ack = established.ack;
        let frame_bytes_max = usize::try_from(ack.max_frame_size_bytes).unwrap_or(usize::MAX);
        let frame_bytes_max = frame_bytes_max.min(limits::FRAME_BYTES_MAX);
        Self {
            session,
            signer: established.signer.with_frame_bytes_max(frame_bytes_max),
            payload_bytes_max: frame_bytes_max.saturating_sub(ENVELOPE_BYTES),
            heartbeat_every: Duration::from_secs(u64::from(ack.heartbeat_interval_seconds.max(1))),
            beat: Beat::AskEngines,
            has_greeted: false,
            since: now,
            had_ack: false,
            transit: None,
        }
    }

    pub(super) const fn payload_bytes_max(&self) -> usize {
        self.payload_bytes_max
    }

    pub(super) const fn had_ack(&self) -> bool {
        self.had_ack
    }

    pub(super) const fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }

    /// Verifies a frame and does what it says; a command may give a job.
    pub(super) fn take(
        &mut self,
        frame: &[u8],
        env: &Env,
        buffer: &mut EventBuffer,
        desk: &mut CommandDesk,
    ) -> Result<Option<JobRequest>, Failure> {
        let received = Received::now(env);
        let verified = match self.session.on_frame(frame, received)? {
            AgentInput::Frame(verified) => verified,
            AgentInput::Established(_) | AgentInput::Ignored(_) => return Ok(None),
        };
        match verified.decode() {
            Ok(Frame::EventBatchAck(ack)) => {
                if !ack.acked_id.is_empty() {
                    self.had_ack = true;
                    buffer.acknowledge(&ack.acked_id);
                }
                Ok(None)
            }
            Ok(Frame::Command(command)) => {
                Ok(desk.receive(&verified.id, &command, received.elapsed))
            }
            Ok(_) => Ok(None),
            Err(error) => Err(Failure {
                class: FailureClass::Connection,
                reason: error.reason().to_owned(),
            }),
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
        self.has_greeted = true;
    }

    /// Whether the brain was told which workers this process is. Before that it may take their events for reports of a
    /// bystander, and leave them to the link that the process had before.
    pub(super) const fn has_greeted(&self) -> bool {
        self.has_greeted
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
