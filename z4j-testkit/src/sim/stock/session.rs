//! The process of a published agent: dial, greet, deliver, again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use z4j_core::env::Env;
use z4j_core::keys::SecretKey;
use z4j_core::limits;
use z4j_core::session::{AgentInput, AgentSession, Backoff, BackoffPolicy, FailureClass};
use z4j_core::transport::{Link, TransportErrorKind};
use z4j_core::wire::{
    CloseCode, Frame, FrameType, Hello, HostInfo, Received, SessionBinding, Signer, Verifier,
    new_frame_id,
};

use super::commands::Taken;
use super::{AgentBug, Disk};
use crate::sim::Chance;
use crate::sim::network::{Network, ProcessNo};
use crate::sim::oracle::Oracle;

/// How often batches are looked at that no ack came for.
const RESEND_LOOK: Duration = Duration::from_secs(2);
/// How long a write to a socket may take.
const SEND_WAIT: Duration = Duration::from_secs(60);

/// What a process is made of.
#[derive(Debug)]
pub(crate) struct StockSetup {
    pub(crate) process: ProcessNo,
    pub(crate) token: String,
    pub(crate) key: SecretKey,
    pub(crate) env: Env,
    pub(crate) disk: Disk,
    pub(crate) chance: Chance,
    pub(crate) worker: String,
    pub(crate) pid: u32,
    pub(crate) bug: Option<AgentBug>,
}

/// The process of a published agent.
#[derive(Debug)]
pub(crate) struct StockAgent {
    pub(super) process: ProcessNo,
    pub(super) disk: Disk,
    pub(super) chance: Chance,
    pub(super) oracle: Arc<Oracle>,
    network: Network,
    token: String,
    key: SecretKey,
    env: Env,
    hello: Hello,
    worker: String,
    bug: Option<AgentBug>,
    kept_seq: u64,
    /// Batches in flight on this link, by when they were sent.
    in_flight: BTreeMap<String, Duration>,
}

/// A session that the brain accepted.
struct Session {
    link: Link,
    session: AgentSession,
    signer: Signer,
    binding: SessionBinding,
    heartbeat: Duration,
}

/// Why a session ended.
type Ended = FailureClass;

impl StockAgent {
    pub(crate) fn new(setup: StockSetup, network: Network, oracle: Arc<Oracle>) -> Self {
        Self {
            hello: hello(&setup),
            process: setup.process,
            disk: setup.disk,
            chance: setup.chance,
            oracle,
            network,
            token: setup.token,
            key: setup.key,
            env: setup.env,
            worker: setup.worker,
            bug: setup.bug,
            kept_seq: 0,
            in_flight: BTreeMap::new(),
        }
    }

    /// Works until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new(BackoffPolicy::published());
        loop {
            let class = match self.connect().await {
                Ok(session) => {
                    // A handshake makes every delay start anew (wire §1.2).
                    backoff = Backoff::new(BackoffPolicy::published());
                    self.serve(session).await
                }
                Err(class) => class,
            };
            self.in_flight.clear();
            tokio::time::sleep(backoff.delay(class, &self.env)).await;
        }
    }

    async fn connect(&mut self) -> Result<Session, Ended> {
        let dialled = self.network.dial(self.process, &self.token).await;
        let mut link = dialled.map_err(|_| FailureClass::Connection)?;
        let mut session = AgentSession::new(self.key.clone(), self.env.clone());
        let hello = session.hello(&self.hello);
        let hello = hello.map_err(|_| FailureClass::Incompatible)?;
        let sent = link.sink.send(hello.into()).await;
        sent.map_err(|_| FailureClass::Connection)?;
        let frame = tokio::time::timeout(limits::HELLO_WAIT, link.source.recv()).await;
        let frame = match frame {
            Ok(Ok(Some(frame))) => frame,
            Ok(Err(error)) => return Err(class_of(error.kind(), false)),
            Ok(Ok(None)) | Err(_) => return Err(FailureClass::Connection),
        };
        let input = session.on_frame(&frame, Received::now(&self.env));
        let established = match input.map_err(|failure| failure.class)? {
            AgentInput::Established(established) => established,
            AgentInput::Frame(_) | AgentInput::Ignored(_) => return Err(FailureClass::Connection),
        };
        let ack = established.ack;
        Ok(Session {
            link,
            session,
            signer: established.signer,
            binding: SessionBinding {
                agent_id: ack.agent_id,
                project_id: ack.project_id,
                session_id: ack.session_id,
            },
            heartbeat: Duration::from_secs(u64::from(ack.heartbeat_interval_seconds)),
        })
    }

    async fn serve(&mut self, mut session: Session) -> Ended {
        let mut beat_at = self.env.elapsed();
        let mut look_at = self.env.elapsed() + RESEND_LOOK;
        loop {
            let now = self.env.elapsed();
            if now >= beat_at {
                beat_at = now + session.heartbeat;
                if let Err(class) = self.beat(&mut session).await {
                    return class;
                }
            }
            if now >= look_at {
                look_at = now + RESEND_LOOK;
                self.in_flight
                    .retain(|_, sent_at| now < *sent_at + limits::ACK_WAIT);
            }
            if let Err(class) = self.deliver(&mut session).await {
                return class;
            }
            let wait = beat_at.min(look_at).saturating_sub(self.env.elapsed());
            let added = Arc::clone(&self.disk.added);
            let frame = tokio::select! {
                biased;
                frame = session.link.source.recv() => frame,
                () = added.notified() => continue,
                () = tokio::time::sleep(wait) => continue,
            };
            let frame = match frame {
                Ok(Some(frame)) => frame,
                Ok(None) => return FailureClass::Connection,
                Err(error) => return class_of(error.kind(), true),
            };
            if let Err(class) = self.take(&mut session, &frame).await {
                return class;
            }
        }
    }

    /// Sends what is due, up to the window.
    async fn deliver(&mut self, session: &mut Session) -> Result<(), Ended> {
        while self.in_flight.len() < limits::UNACKED_BATCHES_MAX {
            let due = |entry: &super::DiskEntry| !self.in_flight.contains_key(&entry.frame_id);
            let Some(entry) = self.disk.find(due) else {
                return Ok(());
            };
            self.in_flight
                .insert(entry.frame_id.clone(), self.env.elapsed());
            let payload = entry.payload.as_bytes();
            let id = &entry.frame_id;
            let signed = session.signer.sign_json(FrameType::EventBatch, id, payload);
            match signed {
                Ok(frame) => self.send(session, frame).await?,
                // The model only makes payloads that can be signed.
                Err(_) => self.disk.delete(id),
            }
            if self.bug == Some(AgentBug::ResumeAtSent) {
                self.disk.delete(id);
            }
        }
        Ok(())
    }

    async fn send(&self, session: &mut Session, frame: Vec<u8>) -> Result<(), Ended> {
        let sending = session.link.sink.send(frame.into());
        match tokio::time::timeout(SEND_WAIT, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(FailureClass::Connection),
        }
    }

    async fn sign_and_send(
        &self,
        session: &mut Session,
        kind: FrameType,
        id: &str,
        payload: &Value,
    ) -> Result<(), Ended> {
        match session.signer.sign(kind, id, payload) {
            Ok(frame) => self.send(session, frame).await,
            Err(_) => Err(FailureClass::Connection),
        }
    }

    async fn beat(&self, session: &mut Session) -> Result<(), Ended> {
        let loss = self.disk.loss();
        let loss = json!({
            "buffer_id": loss.buffer_id,
            "runtime_id": format!("{:032x}:{}", self.process.0, self.process.0),
            "capacity_evicted_frames": loss.capacity_evicted_frames,
            "event_records": loss.event_records,
        });
        let uptime = self.env.elapsed().as_secs();
        let details = json!({ self.worker.as_str(): {
            "stats": { "pid": self.hello.worker_pid, "uptime": uptime, "pool": { "max-concurrency": 4 } },
            "active": [], "active_queues": [{ "name": "default" }],
        }});
        let heartbeat = json!({
            "buffer_size": self.disk.len(),
            "dropped_events": loss.get("event_records"),
            "telemetry_loss": loss,
            "adapter_health": {
                "celery.broker_type": "redis",
                "celery.worker_details": details.to_string(),
            },
        });
        let id = new_frame_id(FrameType::Heartbeat, &self.env);
        self.sign_and_send(session, FrameType::Heartbeat, &id, &heartbeat)
            .await?;
        let status = json!({ "buffer_depth": self.disk.len(), "telemetry_loss": loss });
        let id = new_frame_id(FrameType::AgentStatus, &self.env);
        self.sign_and_send(session, FrameType::AgentStatus, &id, &status)
            .await
    }

    async fn take(&mut self, session: &mut Session, frame: &[u8]) -> Result<(), Ended> {
        if self.bug == Some(AgentBug::GuardKept) {
            let seq: Value = serde_json::from_slice(frame).unwrap_or_default();
            let seq = seq.get("seq").and_then(Value::as_u64).unwrap_or(0);
            if seq <= self.kept_seq {
                return Err(FailureClass::Connection);
            }
            self.kept_seq = seq;
        }
        let received = Received::now(&self.env);
        let mut fresh = Verifier::new(&self.key, session.binding.clone());
        let verified = if self.bug == Some(AgentBug::GuardForgotten) {
            let verified = fresh.verify(frame, received);
            verified.map_err(|_| FailureClass::Connection)?
        } else {
            match session.session.on_frame(frame, received) {
                Ok(AgentInput::Frame(verified)) => verified,
                Ok(_) => return Ok(()),
                Err(failure) => return Err(failure.class),
            }
        };
        self.oracle
            .accepted(&session.binding.session_id, self.process, frame);
        match verified.decode() {
            Ok(Frame::EventBatchAck(ack)) => {
                self.acknowledged(&ack.acked_id);
                Ok(())
            }
            Ok(Frame::Command(command)) => {
                let command = Taken::of(&verified.id, &command);
                self.command(session, command).await
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn acknowledged(&mut self, id: &str) {
        let id = match self.bug {
            Some(AgentBug::AckTakenForOldest) => self.disk.oldest().unwrap_or_default(),
            _ => id.to_owned(),
        };
        self.in_flight.remove(&id);
        self.disk.delete(&id);
    }

    async fn command(&mut self, session: &mut Session, command: Taken) -> Result<(), Ended> {
        let ack = command.ack();
        self.sign_and_send(session, FrameType::CommandAck, &command.id, &ack)
            .await?;
        let Some(result) = self.carry_out(&command).await else {
            return Ok(());
        };
        self.sign_and_send(session, FrameType::CommandResult, &command.id, &result)
            .await
    }
}

fn class_of(kind: &TransportErrorKind, live: bool) -> FailureClass {
    match kind {
        TransportErrorKind::Closed(reason) => {
            FailureClass::of_close(CloseCode::from_code(reason.code), live)
        }
        _ => FailureClass::Connection,
    }
}

fn hello(setup: &StockSetup) -> Hello {
    let mut hello = Hello::new("1.13.0", "bare");
    hello.engines = vec!["celery".to_owned()];
    let tokens = [
        "submit_task",
        "retry_task",
        "cancel_task",
        "purge_queue",
        "retry_by_reference_v1",
    ];
    hello.capabilities =
        BTreeMap::from([("celery".to_owned(), tokens.map(str::to_owned).to_vec())]);
    hello.host = HostInfo {
        name: Some(setup.worker.clone()),
    };
    hello.worker_id = Some(format!("bare-{}-{}", setup.pid, setup.process.0));
    hello.worker_role = Some("task".to_owned());
    hello.worker_pid = Some(setup.pid);
    hello.worker_started_at = Some(setup.env.now().to_string());
    hello
}
