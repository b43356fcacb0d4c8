//! The agent without its sockets, tasks and clocks: inputs go in, frames, jobs and a wake-up time come out.
//!
//! The shell around it (or a simulator) calls the input methods as things happen and then asks, until nothing more
//! comes: [`Driver::dial_now`], [`Driver::take_jobs`], [`Driver::take_health_request`], [`Driver::take_close`],
//! [`Driver::next_frame`]. Nothing here waits, and nothing reads a clock but through [`Env`].

mod failure;
mod live;
mod phases;
mod report;
mod state;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::{info, warn};
use z4j_core::env::Env;
use z4j_core::id::StreamId;
use z4j_core::keys::SecretKey;
use z4j_core::session::{AgentInput, AgentSession, Backoff, BackoffPolicy, FailureClass};
use z4j_core::time::Timestamp;
use z4j_core::transport::{CloseReason, TransportError};
use z4j_core::wire::{CloseCode, Hello, Received};

use crate::buffer::{EventBuffer, EventJson};
use crate::commands::{Adapters, CommandDesk, JobOutcome, JobRequest};
use crate::config::BufferLimits;
use crate::health::Health;
use crate::loss::LossLedger;
use failure::class_of;
use live::Live;
pub use state::{AgentState, LinkState};

/// Answers that may wait before the agent stops reading its link.
const ANSWERS_WAITING_MAX: usize = 512;

/// What a driver is made of.
#[derive(Debug)]
pub(crate) struct DriverSetup {
    pub(crate) env: Env,
    pub(crate) key: SecretKey,
    pub(crate) hello: Hello,
    pub(crate) buffer: BufferLimits,
    pub(crate) adapters: Adapters,
}

#[derive(Debug)]
enum Phase {
    Waiting {
        dial_at: Duration,
        because: Option<FailureClass>,
    },
    Dialling,
    Greeting {
        session: Box<AgentSession>,
        hello: Option<Bytes>,
    },
    Live(Box<Live>),
    Stopped,
}

/// The agent's state machine.
#[derive(Debug)]
pub(crate) struct Driver {
    env: Env,
    key: SecretKey,
    hello: Arc<Hello>,
    phase: Phase,
    buffer: EventBuffer,
    ledger: LossLedger,
    desk: CommandDesk,
    backoff: Backoff,
    health: Health,
    jobs: Vec<JobRequest>,
    close: Option<CloseReason>,
    last_connect_at: Option<Timestamp>,
    last_flush_at: Option<Timestamp>,
    stop_at: Option<Duration>,
    captures_ended: bool,
}

impl Driver {
    pub(crate) fn new(mut setup: DriverSetup) -> Self {
        setup
            .hello
            .offer_stream(StreamId::from_u128(setup.env.next_id()));
        let engines = setup.adapters.engines.iter();
        let engines = engines.map(|engine| engine.name.clone());
        let buffer_id = hex_id(&setup.env);
        let process_id = setup.hello.worker_pid.unwrap_or_default();
        let runtime_id = format!("{}:{process_id}", hex_id(&setup.env));
        Self {
            ledger: LossLedger::new(buffer_id, runtime_id, engines),
            buffer: EventBuffer::new(setup.buffer),
            desk: CommandDesk::new(setup.adapters),
            phase: Phase::Waiting {
                dial_at: setup.env.elapsed(),
                because: None,
            },
            env: setup.env,
            key: setup.key,
            hello: Arc::new(setup.hello),
            backoff: Backoff::new(BackoffPolicy::full_jitter()),
            health: Health::new(),
            jobs: Vec::new(),
            close: None,
            last_connect_at: None,
            last_flush_at: None,
            stop_at: None,
            captures_ended: false,
        }
    }

    // ---- inputs ---------------------------------------------------------------------------------

    /// An engine's event, ready for a frame.
    pub(crate) fn captured(&mut self, event: EventJson) {
        let evicted = self.buffer.push(event);
        self.declare(evicted);
    }

    /// An event that no frame can carry.
    pub(crate) fn rejected(&mut self) {
        self.ledger.rejected_event();
    }

    /// Events that an engine lost before the agent saw them.
    pub(crate) fn lost_by_engine(&mut self, engine: &str, events: u64) {
        self.ledger.lost_by_engine(engine, events);
    }

    /// No more events will be captured.
    pub(crate) const fn captures_ended(&mut self) {
        self.captures_ended = true;
    }

    /// The dial succeeded.
    pub(crate) fn link_opened(&mut self) {
        let session = AgentSession::new(self.key.clone(), self.env.clone());
        match session.hello(&self.hello) {
            Ok(hello) => {
                self.phase = Phase::Greeting {
                    session: Box::new(session),
                    hello: Some(hello.into()),
                };
            }
            Err(error) => {
                warn!(%error, "the hello cannot be written");
                self.fail(FailureClass::Incompatible, Some(error.to_string()));
            }
        }
    }

    /// The dial failed, or the link broke or was closed.
    pub(crate) fn link_failed(&mut self, error: &TransportError) {
        let is_live = matches!(self.phase, Phase::Live(_));
        let class = class_of(error.kind(), is_live);
        let cause = std::error::Error::source(error).map(ToString::to_string);
        warn!(?class, %error, cause, "the link to the brain failed");
        self.fail(class, None);
    }

    /// The brain ended the link without a code.
    pub(crate) fn link_ended(&mut self) {
        info!("the brain ended the link");
        self.fail(FailureClass::Connection, None);
    }

    /// A frame came.
    pub(crate) fn frame_received(&mut self, frame: &[u8]) {
        let taken = match &mut self.phase {
            Phase::Greeting { session, .. } => {
                match session.on_frame(frame, Received::now(&self.env)) {
                    Ok(AgentInput::Established(established)) => {
                        self.established(*established);
                        Ok(None)
                    }
                    Ok(_) => Ok(None),
                    Err(failure) => Err(failure),
                }
            }
            Phase::Live(live) => live.take(frame, &self.env, &mut self.buffer, &mut self.desk),
            // A frame that was under way when its link was given up.
            Phase::Waiting { .. } | Phase::Dialling | Phase::Stopped => Ok(None),
        };
        match taken {
            Ok(job) => self.jobs.extend(job),
            Err(failure) => self.give_up(failure),
        }
    }

    /// The link took the frame that [`Driver::next_frame`] gave last.
    pub(crate) fn frame_sent(&mut self) {
        if let Phase::Live(live) = &mut self.phase
            && live.sent()
        {
            self.desk.written(self.env.elapsed());
        }
    }

    /// A job ended.
    pub(crate) fn job_finished(&mut self, key: &str, outcome: &JobOutcome) {
        self.desk.finish(key, outcome, self.env.elapsed());
    }

    /// What the engines said of themselves.
    pub(crate) fn health_taken(&mut self, health: Health) {
        self.health = health;
        if let Phase::Live(live) = &mut self.phase {
            live.health_arrived();
        }
    }

    /// Stop: deliver what is there until `deadline`, then close.
    pub(crate) fn stop(&mut self, deadline: Duration) {
        self.stop_at = Some(
            self.stop_at
                .map_or(deadline, |earlier| earlier.min(deadline)),
        );
        self.desk.refuse_new();
    }

    // ---- outputs --------------------------------------------------------------------------------

    /// Whether the shell must dial now. It then calls [`Driver::link_opened`] or [`Driver::link_failed`].
    pub(crate) fn dial_now(&mut self) -> bool {
        let due =
            matches!(self.phase, Phase::Waiting { dial_at, .. } if self.env.elapsed() >= dial_at);
        if due {
            self.phase = Phase::Dialling;
        }
        due
    }

    /// Commands to run.
    pub(crate) fn take_jobs(&mut self) -> Vec<JobRequest> {
        std::mem::take(&mut self.jobs)
    }

    /// Whether the engines must be asked how they are; the answer goes to [`Driver::health_taken`].
    pub(crate) fn take_health_request(&mut self) -> bool {
        match &mut self.phase {
            Phase::Live(live) => live.take_health_request(self.env.elapsed()),
            _ => false,
        }
    }

    /// The link must be closed with this reason. The phase has moved on already.
    pub(crate) fn take_close(&mut self) -> Option<CloseReason> {
        self.tick();
        self.close.take()
    }

    /// Whether frames may be read: not while too many answers wait to be written. They can be written only once the brain has
    /// greeted, so its greeting is read whatever waits.
    pub(crate) fn wants_frames(&self) -> bool {
        !matches!(self.phase, Phase::Live(_)) || self.desk.answers_waiting() < ANSWERS_WAITING_MAX
    }

    /// The next frame to write; one at a time, each confirmed with [`Driver::frame_sent`].
    pub(crate) fn next_frame(&mut self) -> Option<Bytes> {
        match &mut self.phase {
            Phase::Greeting { hello, .. } => hello.take(),
            Phase::Live(_) => self.next_signed(),
            Phase::Waiting { .. } | Phase::Dialling | Phase::Stopped => None,
        }
    }

    /// When to ask again although nothing happened.
    pub(crate) fn wake_at(&self) -> Option<Duration> {
        let own = match &self.phase {
            Phase::Waiting { dial_at, .. } => Some(*dial_at),
            Phase::Greeting { session, .. } => session.deadline(),
            Phase::Live(live) => [Some(live.wake_at()), self.buffer.next_deadline()]
                .into_iter()
                .flatten()
                .min(),
            Phase::Dialling | Phase::Stopped => None,
        };
        [own, self.stop_at].into_iter().flatten().min()
    }

    /// Whether a stop was asked for.
    pub(crate) const fn is_stopping(&self) -> bool {
        self.stop_at.is_some()
    }

    /// Whether no more events will be captured.
    pub(crate) const fn has_ended_captures(&self) -> bool {
        self.captures_ended
    }

    /// Whether everything is over.
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.phase, Phase::Stopped)
    }

    /// What the outside may know.
    pub(crate) fn state(&self) -> AgentState {
        let link = match self.phase {
            Phase::Waiting { because, .. } => LinkState::Waiting(because),
            Phase::Dialling | Phase::Greeting { .. } => LinkState::Connecting,
            Phase::Live(_) => LinkState::Connected,
            Phase::Stopped => LinkState::Stopped,
        };
        AgentState {
            link,
            buffered_events: self.buffer.len(),
            lost_events: self.ledger.dropped_events(),
        }
    }

    // ---- inside ---------------------------------------------------------------------------------

    /// What the passing of time brings.
    fn tick(&mut self) {
        let now = self.env.elapsed();
        let expired = self.buffer.expire(now);
        self.declare(expired);
        if let Phase::Greeting { session, .. } = &mut self.phase
            && let Err(failure) = session.on_time(now)
        {
            self.give_up(failure);
        }
        if self
            .stop_at
            .is_some_and(|stop_at| now >= stop_at || self.is_drained())
        {
            self.finish();
        }
    }

    fn is_drained(&self) -> bool {
        self.captures_ended && self.buffer.is_settled() && self.desk.is_settled()
    }

    fn finish(&mut self) {
        if matches!(self.phase, Phase::Stopped) {
            return;
        }
        if matches!(self.phase, Phase::Live(_) | Phase::Greeting { .. }) {
            self.close = Some(close_reason(String::new()));
        }
        self.phase = Phase::Stopped;
    }
}

fn close_reason(text: String) -> CloseReason {
    CloseReason {
        code: CloseCode::Normal.code(),
        text,
    }
}

fn hex_id(env: &Env) -> String {
    format!("{:032x}", env.next_id())
}

#[cfg(test)]
mod tests;
