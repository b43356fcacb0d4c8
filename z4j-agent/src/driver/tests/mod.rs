//! The driver against a brain end made of the same wire code, with time that only moves when told to.

mod commands;
mod delivery;
mod links;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};
use z4j_core::engine::EngineDescriptor;
use z4j_core::env::{Clock, IdGen, SystemIds};
use z4j_core::limits;
use z4j_core::redact::Redacted;
use z4j_core::transport::TransportErrorKind;
use z4j_core::wire::{
    Command, EventBatchAck, FrameType, HelloAck, HostInfo, RawJson, SessionBinding, Signer,
    Verifier, encode_hello_ack,
};

use super::*;
use crate::commands::{COMMANDS_OPEN_MAX, Job};

#[derive(Debug, Default)]
struct HandClock(AtomicU64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_795_422_000_000_000).plus(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Chance at its worst: the longest delay that could come.
#[derive(Debug)]
struct LongestJitter;

impl IdGen for LongestJitter {
    fn next_id(&self) -> u128 {
        SystemIds.next_id()
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }

    fn fill(&self, buffer: &mut [u8]) {
        SystemIds.fill(buffer);
    }
}

struct BrainEnd {
    signer: Signer,
    verifier: Verifier,
}

struct Sent {
    kind: FrameType,
    id: String,
    payload: Value,
}

struct Bench {
    clock: Arc<HandClock>,
    env: Env,
    key: SecretKey,
    driver: Driver,
    brain: Option<BrainEnd>,
    jobs: Vec<JobRequest>,
    closed: Vec<CloseReason>,
}

impl Bench {
    fn new(buffer: BufferLimits) -> Self {
        let clock = Arc::new(HandClock::default());
        let env = Env::new(Arc::<HandClock>::clone(&clock), Arc::new(LongestJitter));
        let key = SecretKey::from_bytes(vec![7; 32]);
        let engine = EngineDescriptor {
            name: "demo".to_owned(),
            capabilities: vec!["retry_task".to_owned()],
        };
        let mut hello = Hello::new("0.1.0", "rust");
        hello.host = HostInfo::default();
        let driver = Driver::new(DriverSetup {
            env: env.clone(),
            key: key.clone(),
            hello,
            buffer,
            adapters: Adapters {
                engines: vec![engine],
                schedulers: Vec::new(),
            },
        });
        Self {
            clock,
            env,
            key,
            driver,
            brain: None,
            jobs: Vec::new(),
            closed: Vec::new(),
        }
    }

    fn connected() -> Self {
        let mut bench = Self::new(BufferLimits::default());
        bench.connect(1 << 20);
        bench
    }

    fn pass(&mut self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap();
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }

    /// Dials, greets and answers; gives what the agent wrote right after.
    fn connect(&mut self, frame_bytes_max: u32) -> Vec<Sent> {
        self.greet(frame_bytes_max);
        self.turn()
    }

    /// Dials, greets and answers.
    fn greet(&mut self, frame_bytes_max: u32) {
        assert!(self.driver.dial_now());
        self.driver.link_opened();
        self.driver.next_frame().expect("a hello");
        self.driver.frame_sent();
        let binding = SessionBinding {
            agent_id: "a".to_owned(),
            project_id: "p".to_owned(),
            session_id: format!("{:x}", self.env.next_id()),
        };
        let ack = HelloAck {
            protocol_version: "2".to_owned(),
            brain_version: String::new(),
            agent_id: binding.agent_id.clone(),
            project_id: binding.project_id.clone(),
            session_id: binding.session_id.clone(),
            heartbeat_interval_seconds: 30,
            max_frame_size_bytes: frame_bytes_max,
            stream: None,
        };
        self.brain = Some(BrainEnd {
            signer: Signer::new(&self.key, binding.clone(), self.env.clone()),
            verifier: Verifier::new(&self.key, binding),
        });
        self.driver
            .frame_received(&encode_hello_ack("h1", &ack).unwrap());
    }

    /// Lets the driver do all that it wants now, as the shell would.
    fn turn(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        loop {
            if let Some(reason) = self.driver.take_close() {
                self.closed.push(reason);
                self.brain = None;
            }
            self.jobs.extend(self.driver.take_jobs());
            if self.driver.take_health_request() {
                self.driver.health_taken(Health::from([(
                    "demo.broker_type".to_owned(),
                    "in-process".to_owned(),
                )]));
            }
            let Some(frame) = self.driver.next_frame() else {
                return sent;
            };
            self.driver.frame_sent();
            let brain = self.brain.as_mut().expect("frames go to a link");
            let verified = brain
                .verifier
                .verify(&frame, Received::now(&self.env))
                .expect("a sound frame");
            sent.push(Sent {
                kind: verified.kind,
                id: verified.id.to_string(),
                payload: verified.payload.decode_owned().unwrap(),
            });
        }
    }

    fn signed<T: serde::Serialize>(&mut self, kind: FrameType, id: &str, payload: &T) -> Vec<u8> {
        self.brain
            .as_mut()
            .expect("a link")
            .signer
            .sign(kind, id, payload)
            .unwrap()
    }

    fn acknowledge(&mut self, batch: &Sent) {
        let ack = EventBatchAck {
            acked_id: batch.id.clone(),
            ..EventBatchAck::default()
        };
        let frame = self.signed(FrameType::EventBatchAck, "eba_1", &ack);
        self.driver.frame_received(&frame);
    }

    fn command_frame(&mut self, id: &str, action: &str) -> Vec<u8> {
        let command = Command {
            action: action.into(),
            target: RawJson::EMPTY_OBJECT,
            parameters: RawJson::parse(r#"{"task_id":"t-1"}"#).unwrap(),
            timeout_seconds: 60,
            issued_by: None,
            delivery_claim_token: Some("claim".to_owned()),
        };
        self.signed(FrameType::Command, id, &command)
    }

    fn command(&mut self, id: &str, action: &str) -> Vec<Sent> {
        let frame = self.command_frame(id, action);
        self.driver.frame_received(&frame);
        self.turn()
    }

    fn capture(&mut self, text: &str) {
        let event = json!({"id": "e", "kind": "task.started", "data": {"note": text}});
        self.driver
            .captured(Redacted::vouch(event.to_string().into_boxed_str()));
    }

    fn waits_because(&self) -> Option<FailureClass> {
        match self.driver.state().link {
            LinkState::Waiting(because) => because,
            other => panic!("{other}"),
        }
    }

    fn closed_by_brain(&mut self, code: u16) {
        let reason = CloseReason {
            code,
            text: String::new(),
        };
        self.driver
            .link_failed(&TransportError::new(TransportErrorKind::Closed(reason)));
        self.brain = None;
    }
}

fn kinds(sent: &[Sent]) -> Vec<FrameType> {
    sent.iter().map(|frame| frame.kind).collect()
}
