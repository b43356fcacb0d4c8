//! An agent that delivers as the published ones do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::time::MissedTickBehavior;
use z4j_core::engine::EngineEvent;
use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::limits;
use z4j_core::session::{
    AgentInput, AgentSession, Backoff, BackoffPolicy, Established, FailureClass,
};
use z4j_core::transport::{CloseReason, Endpoint, FrameSink, Link, Transport, TransportErrorKind};
use z4j_core::wire::{
    AgentStatus, CloseCode, Frame, FrameType, Heartbeat, Hello, Received, Verified, new_frame_id,
};

use super::engine::CAPABILITIES;
use super::{ENGINE, GlueError, Ledger, Minted};

/// A batch without an ack for so long is sent again, with the same id.
const RESEND_AFTER: Duration = Duration::from_secs(90);
/// How often the buffer is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Batches that wait for their acks at once, at most.
const UNACKED_MAX: usize = 256;
/// One batch in so many is sent twice at once, each time freshly signed.
const DOUBLED: u64 = 3;

/// What a stock agent keeps on its disk: it survives the process.
#[derive(Clone, Debug, Default)]
pub struct StockDisk(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    batches: VecDeque<Batch>,
    results: VecDeque<(String, String)>,
    done: BTreeMap<String, String>,
    taken: u64,
}

#[derive(Debug)]
struct Batch {
    id: String,
    payload: String,
    is_doubled: bool,
    sent_at: Option<Duration>,
}

impl StockDisk {
    /// Events that wait for their ack.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().batches.len()
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An agent that delivers as the published ones do: one event per frame, kept on disk until it is acknowledged, sent
/// again after 90 seconds and on every new link; and a third of its batches come twice.
#[derive(Clone, Debug)]
pub struct StockAgent {
    name: String,
    agent: Minted,
    key: SecretKey,
    env: Env,
    disk: StockDisk,
    ledger: Ledger,
}

impl StockAgent {
    /// The agent `minted`, with what is on `disk` already.
    ///
    /// # Errors
    /// A secret that is no key.
    pub fn new(
        minted: &Minted,
        env: Env,
        disk: StockDisk,
        ledger: Ledger,
    ) -> Result<Self, GlueError> {
        Ok(Self {
            name: minted.name.clone(),
            key: SecretKey::from_hmac_secret(minted.hmac_secret.expose_secret())?,
            agent: minted.clone(),
            env,
            disk,
            ledger,
        })
    }

    /// Lets this happen: one more batch is on the disk.
    pub fn record(&self, event: &EngineEvent) {
        self.ledger.emitted(&self.name, self.agent.id, event);
        let payload = json!({"events": [{
            "id": uuid::Uuid::from_u128(self.env.next_id()).to_string(),
            "kind": event.kind.as_str(),
            "engine": ENGINE,
            "task_id": event.task_id,
            "occurred_at": event.occurred_at.to_string(),
            "data": event.data,
        }]});
        let mut disk = self.disk.lock();
        disk.taken += 1;
        let batch = Batch {
            id: new_frame_id(FrameType::EventBatch, &self.env),
            payload: payload.to_string(),
            is_doubled: disk.taken.is_multiple_of(DOUBLED),
            sent_at: None,
        };
        disk.batches.push_back(batch);
    }

    /// Connects, and again whenever the link is lost. Never returns.
    pub async fn run(&self, transport: &dyn Transport, url: &str) {
        let endpoint = Endpoint::new(url, self.agent.token.expose_secret());
        let mut backoff = Backoff::new(BackoffPolicy::published());
        loop {
            let began = self.env.elapsed();
            let class = match transport.dial(&endpoint).await {
                Ok(link) => {
                    let (class, had_ack) = self.serve(link).await;
                    backoff.session_ended(self.env.elapsed().saturating_sub(began), had_ack);
                    class
                }
                Err(error) => match error.kind() {
                    TransportErrorKind::Refused(401 | 403) => FailureClass::Auth,
                    _ => FailureClass::Connection,
                },
            };
            tokio::time::sleep(backoff.delay(class, &self.env)).await;
        }
    }

    /// Serves one link; says why it ended and whether an ack came.
    async fn serve(&self, link: Link) -> (FailureClass, bool) {
        let Link {
            mut sink,
            mut source,
            ..
        } = link;
        let mut session = AgentSession::new(self.key.clone(), self.env.clone());
        let mut live: Option<Live> = None;
        let mut had_ack = false;
        let Ok(hello) = session.hello(&self.hello()) else {
            return (FailureClass::Protocol, had_ack);
        };
        if sink.send(hello.into()).await.is_err() {
            return (FailureClass::Connection, had_ack);
        }
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let written = tokio::select! {
                biased;
                frame = source.recv() => match frame {
                    Ok(Some(frame)) => match self.take(&mut session, &mut live, &frame) {
                        Ok(is_ack) => {
                            had_ack |= is_ack;
                            continue;
                        }
                        Err(class) => {
                            let text = "the brain sent what it must not".to_owned();
                            let code = CloseCode::Normal.code();
                            // The link is over either way.
                            let _told = sink.close(CloseReason { code, text }).await;
                            return (class, had_ack);
                        }
                    },
                    Ok(None) | Err(_) => return (FailureClass::Connection, had_ack),
                },
                _ = look.tick() => self.look(&mut session, live.as_mut(), &mut *sink).await,
            };
            if !written {
                return (FailureClass::Connection, had_ack);
            }
        }
    }

    /// Takes a frame from the brain; true for an ack.
    fn take(
        &self,
        session: &mut AgentSession,
        live: &mut Option<Live>,
        frame: &Bytes,
    ) -> Result<bool, FailureClass> {
        match session.on_frame(frame, Received::now(&self.env)) {
            Ok(AgentInput::Established(established)) => {
                for batch in &mut self.disk.lock().batches {
                    batch.sent_at = None;
                }
                *live = Some(Live::new(*established));
                Ok(false)
            }
            Ok(AgentInput::Frame(verified)) => Ok(self.frame(&verified)),
            Ok(AgentInput::Ignored(_)) => Ok(false),
            Err(failure) => Err(failure.class),
        }
    }

    fn frame(&self, verified: &Verified<'_>) -> bool {
        match verified.decode() {
            Ok(Frame::EventBatchAck(ack)) => {
                self.disk
                    .lock()
                    .batches
                    .retain(|batch| batch.id != ack.acked_id);
                true
            }
            Ok(Frame::Command(_)) => {
                let id = verified.id.to_string();
                let mut disk = self.disk.lock();
                // A command that comes again is answered as before and not done again.
                if !disk.done.contains_key(&id) {
                    self.ledger.executed(&id);
                    let result = json!({"status": "success", "result": {"done": true}, "error": null,
                        "delivery_claim_token": null});
                    disk.done.insert(id.clone(), result.to_string());
                }
                let result = disk.done.get(&id).cloned().unwrap_or_default();
                disk.results.push_back((id, result));
                false
            }
            _ => false,
        }
    }

    /// Writes what is due; false when the link is gone.
    async fn look(
        &self,
        session: &mut AgentSession,
        live: Option<&mut Live>,
        sink: &mut dyn FrameSink,
    ) -> bool {
        let now = self.env.elapsed();
        let Some(live) = live else {
            return session.on_time(now).is_ok();
        };
        for frame in self.due(live, now) {
            if sink.send(frame).await.is_err() {
                return false;
            }
        }
        true
    }

    fn due(&self, live: &mut Live, now: Duration) -> Vec<Bytes> {
        let mut frames = Vec::new();
        if live.beat_at <= now {
            live.beat_at = now + live.beat_every;
            let beat = serde_json::to_string(&Heartbeat::default()).unwrap_or_default();
            let id = new_frame_id(FrameType::Heartbeat, &self.env);
            frames.extend(live.sign(FrameType::Heartbeat, &id, &beat));
            let status = serde_json::to_string(&AgentStatus::default()).unwrap_or_default();
            let id = new_frame_id(FrameType::AgentStatus, &self.env);
            frames.extend(live.sign(FrameType::AgentStatus, &id, &status));
        }
        let mut disk = self.disk.lock();
        while let Some((id, result)) = disk.results.pop_front() {
            frames.extend(live.sign(
                FrameType::CommandAck,
                &id,
                r#"{"delivery_claim_token":null}"#,
            ));
            frames.extend(live.sign(FrameType::CommandResult, &id, &result));
        }
        for batch in disk.batches.iter_mut().take(UNACKED_MAX) {
            let is_due = batch.sent_at.is_none_or(|at| now >= at + RESEND_AFTER);
            if !is_due {
                continue;
            }
            batch.sent_at = Some(now);
            for _ in 0..=u8::from(batch.is_doubled) {
                frames.extend(live.sign(FrameType::EventBatch, &batch.id, &batch.payload));
            }
        }
        frames
    }

    fn hello(&self) -> Hello {
        let mut hello = Hello::new("1.13.0", "bare");
        hello.engines = vec![ENGINE.to_owned()];
        let tokens = CAPABILITIES.map(str::to_owned).to_vec();
        hello.capabilities = [(ENGINE.to_owned(), tokens)].into();
        hello.worker_id = Some(format!("{}-slot", self.name));
        hello
    }
}

/// A link on which signed frames flow.
struct Live {
    established: Established,
    beat_every: Duration,
    beat_at: Duration,
}

impl Live {
    fn new(established: Established) -> Self {
        let seconds = established.ack.heartbeat_interval_seconds;
        Self {
            beat_every: Duration::from_secs(u64::from(seconds)).min(limits::GOOD_SESSION),
            beat_at: Duration::ZERO,
            established,
        }
    }

    fn sign(&mut self, kind: FrameType, id: &str, payload: &str) -> Option<Bytes> {
        let signed = self
            .established
            .signer
            .sign_json(kind, id, payload.as_bytes());
        signed.ok().map(Bytes::from)
    }
}
