//! Reads one link: verify, then each frame to where it belongs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use z4j_core::limits;
use z4j_core::session::{BrainInput, BrainSession};
use z4j_core::wire::{CloseCode, EventBatch, Frame, FrameType, Received, Refusal, Verified};

use super::ends::{Incoming, Reader};
use super::handle::LinkHandle;
use super::pace::Pace;
use super::session::End;
use super::stream::LinkStream;
use crate::dispatch::Answer;
use crate::ingest::{
    Decoder, Heard, LinkBudget, PendingFrame, Permits, RefusalNote, UnderWay, Vitals,
};
use crate::shared::Shared;

/// A link that dies without a word is known to be gone within this many heartbeat intervals (contract).
const SILENT_INTERVALS: u32 = 3;
/// How much earlier it is ended, so that its workers are shown as offline by then.
const SILENCE_MARGIN: Duration = Duration::from_secs(5);

/// Reads one link.
pub(super) struct Inbound {
    shared: Arc<Shared>,
    link: Arc<LinkHandle>,
    session: BrainSession,
    decoder: Decoder,
    vitals: Vitals,
    stream: Option<LinkStream>,
    budget: LinkBudget,
    pace: Pace,
    silence_max: Duration,
    /// How long frames have waited here for those before them, since the last one that came in time.
    held_up: Duration,
}

impl Inbound {
    pub(super) fn new(
        shared: Arc<Shared>,
        link: Arc<LinkHandle>,
        session: BrainSession,
        stream: Option<LinkStream>,
    ) -> Self {
        Self {
            decoder: Decoder::new(&link.agent),
            vitals: Vitals::default(),
            stream,
            budget: shared.committer.budget(),
            pace: Pace::new(limits::FRAMES_PER_SECOND_MAX, limits::FRAMES_BURST_MAX),
            silence_max: silence_max(shared.config.agents.heartbeat_interval),
            held_up: Duration::ZERO,
            session,
            link,
            shared,
        }
    }

    /// Reads until the link ends.
    pub(super) async fn run(&mut self, reader: &mut impl Reader) -> End {
        loop {
            // Only waiting for the other end counts as its silence, not the time that its frames take here.
            let incoming = tokio::select! {
                biased;
                () = self.shared.links.reading.cancelled() => return std::future::pending().await,
                incoming = tokio::time::timeout(self.silence_max, reader.next()) => incoming,
            };
            let frame = match incoming {
                Ok(Incoming::Frame(frame)) => frame,
                Ok(Incoming::TooBig) => return self.refuse(&Refusal::TooBig),
                Ok(Incoming::Gone) => return End::Gone,
                Err(_) => return self.silent(),
            };
            let began = self.shared.env.elapsed();
            let wait = self.pace.wait(began);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            if let Err(end) = self.take(frame).await {
                return end;
            }
            self.held_up += self.shared.env.elapsed().saturating_sub(began);
        }
    }

    async fn take(&mut self, frame: Bytes) -> Result<(), End> {
        let mut received = Received::now(&self.shared.env);
        received.held_up = self.held_up;
        let verified = match self.session.on_frame(&frame, received) {
            Ok(BrainInput::Frame(verified)) => verified,
            Ok(BrainInput::Hello(_)) => return Err(self.refuse(&Refusal::NotHello)),
            Err(close) => {
                self.note(close.refusal.as_ref());
                return Err(End::Close(close.code));
            }
        };
        if verified.ts.abs_diff(received.at) <= limits::FRAME_SKEW_MAX {
            self.held_up = Duration::ZERO;
        }
        let heard = Heard {
            at: verified.ts.min(received.at),
        };
        match verified.kind {
            FrameType::EventBatch => {
                // Decoded after there is room for it, so that what is decoded is bounded too.
                let permits = tokio::select! {
                    biased;
                    () = self.shared.links.reading.cancelled() => return std::future::pending().await,
                    permits = self.budget.take(frame.len()) => permits.ok_or(End::Gone)?,
                };
                let under_way = self.under_way();
                if under_way.is_some() && self.link.close_code().is_some() {
                    // The agent's next link may have been told already where the stream goes on.
                    drop(under_way);
                    return std::future::pending().await;
                }
                self.batch(&verified, &frame, (permits, under_way), received)
            }
            FrameType::CommandAck | FrameType::CommandResult => {
                // Rare, and large: an idle link must not keep room for it.
                Box::pin(self.answer(&verified)).await;
                Ok(())
            }
            // The session lets through only what an agent may send.
            _ => {
                self.word(&verified, heard);
                Ok(())
            }
        }
    }

    fn under_way(&self) -> Option<UnderWay> {
        let stream = self.stream.as_ref()?;
        Some(self.shared.committer.streams.begin(stream.key()))
    }

    fn batch(
        &mut self,
        verified: &Verified<'_>,
        frame: &Bytes,
        (permits, under_way): (Permits, Option<UnderWay>),
        received: Received,
    ) -> Result<(), End> {
        let shared = &*self.shared;
        let decoded = verified.decode();
        let batch = match &decoded {
            Ok(Frame::EventBatch(batch)) => Some(batch),
            _ => None,
        };
        let streams = match &mut self.stream {
            None => Vec::new(),
            Some(stream) => match stream.take(batch.unwrap_or(&EventBatch::default())) {
                Ok(segments) => segments,
                Err(note) => {
                    shared.reports.refuse(shared, &self.link.agent, &note);
                    return Err(End::Close(CloseCode::BadRequest));
                }
            },
        };
        let mut decoded = match batch {
            Some(batch) => self.decoder.batch(shared, &verified.id, batch, frame),
            None => self
                .decoder
                .malformed(shared, &verified.id, verified.payload),
        };
        for poison in &decoded.poison {
            shared
                .reports
                .refuse(shared, &self.link.agent, &RefusalNote::event(poison.reason));
        }
        let told = decoded.events.len();
        let (owners, elsewhere) = (&shared.links.owners, &shared.replicas.elsewhere);
        decoded.events.retain(|event| {
            !owners.is_second_hand(&self.link, event, received.at)
                && !elsewhere.is_second_hand(owners, &self.link, event, received.at)
        });
        shared
            .metrics
            .second_hand(told.saturating_sub(decoded.events.len()));
        for event in &decoded.events {
            self.vitals.event(shared, &self.link, event, received.at);
        }
        shared.committer.submit(PendingFrame {
            link: Arc::clone(&self.link),
            frame_id: verified.id.as_ref().into(),
            received: decoded.received,
            events: decoded.events,
            poison: decoded.poison,
            streams,
            _under_way: under_way,
            permits,
            read_at: received.elapsed,
        });
        Ok(())
    }

    /// What an agent says of itself. What cannot be read costs the frame and not the link.
    fn word(&mut self, verified: &Verified<'_>, heard: Heard) {
        let (shared, link) = (&*self.shared, &*self.link);
        match verified.decode() {
            Ok(Frame::Heartbeat(heartbeat)) => {
                self.vitals.heartbeat(shared, link, &heartbeat, heard)
            }
            Ok(Frame::AgentStatus(status)) => self.vitals.status(shared, link, &status, heard),
            Ok(Frame::Error(error)) => {
                tracing::warn!(agent = %link.agent.name, code = %error.code.escape_debug(), fatal = error.fatal, "the agent reports an error");
            }
            // Published agents never send task definitions; nothing here keeps them.
            Ok(_) => {}
            Err(_) => {
                let note = RefusalNote::frame(&Refusal::Malformed);
                shared.reports.refuse(shared, &link.agent, &note);
            }
        }
    }

    async fn answer(&self, verified: &Verified<'_>) {
        let (shared, link) = (&*self.shared, &*self.link);
        let answer = match verified.decode() {
            Ok(Frame::CommandAck(_)) => Some(Answer::Ack),
            Ok(Frame::CommandResult(result)) => Some(Answer::result(shared, &result)),
            _ => None,
        };
        match (answer, verified.id.parse()) {
            (Some(answer), Ok(id)) => shared.dispatcher.answered(shared, link, id, answer).await,
            // An id that is none of ours, or an answer without shape: nothing waits for it (protocol §10).
            _ => {
                let note = RefusalNote::frame(&Refusal::Malformed);
                shared.reports.refuse(shared, &link.agent, &note);
            }
        }
    }

    fn refuse(&self, refusal: &Refusal) -> End {
        self.note(Some(refusal));
        End::Close(refusal.close_code_live())
    }

    fn note(&self, refusal: Option<&Refusal>) {
        if let Some(refusal) = refusal {
            let note = RefusalNote::frame(refusal);
            self.shared
                .reports
                .refuse(&self.shared, &self.link.agent, &note);
        }
    }

    fn silent(&self) -> End {
        tracing::warn!(agent = %self.link.agent.name, link = %self.link.id, seconds = self.silence_max.as_secs(), "a link is closed: nothing was heard on it");
        End::Close(CloseCode::Idle)
    }
}

/// How long a peer may neither send nor take anything.
pub(super) fn silence_max(heartbeat_interval: Duration) -> Duration {
    heartbeat_interval * SILENT_INTERVALS - SILENCE_MARGIN.min(heartbeat_interval / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_link_ends_a_while_before_three_intervals_are_over() {
        let limit = |seconds| silence_max(Duration::from_secs(seconds));
        assert_eq!(limit(30), Duration::from_secs(85));
        assert_eq!(limit(1), Duration::from_millis(2_500));
    }
}
