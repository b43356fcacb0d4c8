//! The driver against a brain end made of the same wire code, with time that only moves when told to.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};
use z4j_core::engine::EngineDescriptor;
use z4j_core::env::{Clock, IdGen, SystemIds};
use z4j_core::limits;
use z4j_core::redact::Redacted;
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
        };
        self.brain = Some(BrainEnd {
            signer: Signer::new(&self.key, binding.clone(), self.env.clone()),
            verifier: Verifier::new(&self.key, binding),
        });
        self.driver
            .frame_received(&encode_hello_ack("h1", &ack).unwrap());
        self.turn()
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

#[test]
fn the_first_frames_after_hello_ack_are_a_heartbeat_with_health_and_a_status() {
    let mut bench = Bench::new(BufferLimits::default());
    let sent = bench.connect(1 << 20);
    assert_eq!(kinds(&sent), [FrameType::Heartbeat, FrameType::AgentStatus]);
    assert_eq!(
        sent[0].payload["adapter_health"]["demo.broker_type"],
        "in-process"
    );
    assert_eq!(sent[1].payload["protocol_version"], "2");
    bench.pass(Duration::from_secs(29));
    assert!(bench.turn().is_empty());
    assert_eq!(bench.driver.wake_at(), Some(Duration::from_secs(30)));
    bench.pass(Duration::from_secs(1));
    assert_eq!(
        kinds(&bench.turn()),
        [FrameType::Heartbeat, FrameType::AgentStatus]
    );
}

#[test]
fn an_engine_that_does_not_say_how_it_is_delays_a_heartbeat_by_five_seconds_only() {
    let mut bench = Bench::connected();
    bench.pass(Duration::from_secs(30));
    assert!(bench.driver.take_health_request());
    assert!(bench.driver.next_frame().is_none());
    bench.pass(live::HEALTH_WAIT);
    assert_eq!(
        kinds(&bench.turn()),
        [FrameType::Heartbeat, FrameType::AgentStatus]
    );
}

#[test]
fn a_batch_is_kept_until_its_ack_and_sent_again_with_the_same_id() {
    let mut bench = Bench::connected();
    bench.capture("one");
    bench.capture("two");
    let first = bench.turn().remove(0);
    assert_eq!(first.payload["events"].as_array().unwrap().len(), 2);
    bench.pass(limits::ACK_WAIT);
    let again = bench
        .turn()
        .into_iter()
        .find(|frame| frame.kind == FrameType::EventBatch)
        .unwrap();
    assert_eq!((&again.id, &again.payload), (&first.id, &first.payload));
    bench.acknowledge(&again);
    assert_eq!(bench.driver.state().buffered_events, 0);
    bench.pass(limits::ACK_WAIT);
    assert!(!kinds(&bench.turn()).contains(&FrameType::EventBatch));
}

#[test]
fn after_a_lost_link_the_batch_is_the_same_and_goes_out_at_once() {
    let mut bench = Bench::connected();
    bench.capture("one");
    let first = bench.turn().remove(0);
    bench.driver.link_ended();
    assert_eq!(bench.waits_because(), Some(FailureClass::Connection));
    bench.pass(Duration::from_secs(1));
    let sent = bench.connect(1 << 20);
    let again = sent
        .iter()
        .find(|frame| frame.kind == FrameType::EventBatch)
        .unwrap();
    assert_eq!((&again.id, &again.payload), (&first.id, &first.payload));
}

#[test]
fn evicted_events_are_declared_in_the_next_heartbeat() {
    let mut bench = Bench::new(BufferLimits {
        events_max: 2,
        bytes_max: 1 << 20,
    });
    for number in 0..5 {
        bench.capture(&number.to_string());
    }
    bench.driver.lost_by_engine("demo", 4);
    let sent = bench.connect(1 << 20);
    let loss = &sent[0].payload["telemetry_loss"];
    assert_eq!(loss["event_records"], 3);
    assert_eq!(loss["capacity_evicted_frames"], 3);
    assert_eq!(loss["adapter_events"]["demo"], 4);
    assert_eq!(sent[0].payload["dropped_events"], 7);
    assert_eq!(sent[1].payload["telemetry_loss"], *loss);
}

#[test]
fn an_event_evicted_under_way_is_declared_lost_when_the_link_ends_without_its_ack() {
    let mut bench = Bench::new(BufferLimits {
        events_max: 1,
        bytes_max: 1 << 20,
    });
    bench.connect(1 << 20);
    bench.capture("under way");
    assert_eq!(kinds(&bench.turn()), [FrameType::EventBatch]);
    bench.capture("takes its place");
    assert_eq!(bench.driver.state().lost_events, 0);
    bench.driver.link_ended();
    assert_eq!(bench.driver.state().lost_events, 1);
}

#[test]
fn an_event_larger_than_the_brains_frames_is_dropped_counted_and_the_link_stays() {
    let mut bench = Bench::new(BufferLimits::default());
    bench.connect(2048);
    bench.capture(&"x".repeat(3_000));
    bench.capture("small");
    let sent = bench.turn();
    assert_eq!(kinds(&sent), [FrameType::EventBatch]);
    assert_eq!(sent[0].payload["events"].as_array().unwrap().len(), 1);
    bench.pass(Duration::from_secs(30));
    let beat = bench.turn().remove(0);
    assert_eq!(beat.payload["telemetry_loss"]["content_rejected_frames"], 1);
    assert_eq!(beat.payload["telemetry_loss"]["event_records"], 1);
}

#[test]
fn a_command_is_acknowledged_at_once_run_once_and_answered_again_when_it_repeats() {
    let mut bench = Bench::connected();
    let sent = bench.command("c1", "retry_task");
    assert_eq!(kinds(&sent), [FrameType::CommandAck]);
    assert_eq!(
        (
            sent[0].id.as_str(),
            &sent[0].payload["delivery_claim_token"]
        ),
        ("c1", &json!("claim"))
    );
    assert_eq!(
        kinds(&bench.command("c1", "retry_task")),
        [FrameType::CommandAck]
    );
    assert_eq!(bench.jobs.len(), 1);
    assert!(
        matches!(&bench.jobs[0].job, Job::Engine(0, command) if command.action == "retry_task")
    );

    let result = Map::from_iter([("new_task_id".to_owned(), json!("t-2"))]);
    let key = bench.jobs[0].key.clone();
    bench.driver.job_finished(&key, &JobOutcome::Done(result));
    let answer = bench.turn().remove(0);
    assert_eq!(answer.kind, FrameType::CommandResult);
    assert_eq!(answer.payload["status"], "success");
    assert_eq!(answer.payload["result"]["new_task_id"], "t-2");

    let repeated = bench.command("c1", "retry_task");
    assert_eq!(
        kinds(&repeated),
        [FrameType::CommandAck, FrameType::CommandResult]
    );
    assert_eq!(repeated[1].payload["result"]["new_task_id"], "t-2");
    assert_eq!(bench.jobs.len(), 1);
}

#[test]
fn a_failed_command_may_be_tried_again() {
    let mut bench = Bench::connected();
    bench.command("c1", "retry_task");
    let key = bench.jobs[0].key.clone();
    bench
        .driver
        .job_finished(&key, &JobOutcome::Failed("no such task".to_owned()));
    assert_eq!(bench.turn()[0].payload["error"], "no such task");
    bench.command("c1", "retry_task");
    assert_eq!(bench.jobs.len(), 2);
}

#[test]
fn a_result_survives_the_link_that_its_command_came_on() {
    let mut bench = Bench::connected();
    bench.command("c1", "retry_task");
    bench.driver.link_ended();
    let key = bench.jobs[0].key.clone();
    let outcome = JobOutcome::Unknown {
        operation: "retry_task".to_owned(),
        reason: "no answer".to_owned(),
    };
    bench.driver.job_finished(&key, &outcome);
    bench.pass(Duration::from_secs(1));
    let sent = bench.connect(1 << 20);
    assert_eq!(sent[0].kind, FrameType::CommandResult);
    assert_eq!(sent[0].id, "c1");
    assert_eq!(
        sent[0].payload["result"],
        json!({"indeterminate": true, "operation": "retry_task"})
    );
    assert!(!kinds(&sent).contains(&FrameType::CommandAck));
}

#[test]
fn a_result_that_no_frame_can_carry_is_left_out_and_said_so() {
    let mut bench = Bench::new(BufferLimits::default());
    bench.connect(1024);
    bench.command("c1", "retry_task");
    let key = bench.jobs[0].key.clone();
    let large = Map::from_iter([("text".to_owned(), json!("x".repeat(2_000)))]);
    bench.driver.job_finished(&key, &JobOutcome::Done(large));
    let answer = bench.turn().remove(0);
    assert_eq!(answer.payload["status"], "success");
    assert_eq!(answer.payload["result"]["result_dropped"], true);
}

#[test]
fn a_tampered_command_closes_the_link_and_nothing_runs() {
    let mut bench = Bench::connected();
    let frame = bench.command_frame("c1", "retry_task");
    let text = String::from_utf8(frame).unwrap().replace("t-1", "t-9");
    bench.driver.frame_received(text.as_bytes());
    assert!(bench.turn().is_empty());
    assert_eq!(bench.closed.len(), 1);
    assert!(bench.jobs.is_empty());
    assert_eq!(bench.waits_because(), Some(FailureClass::Connection));
}

#[test]
fn a_repeated_or_stale_frame_closes_the_link() {
    let mut replayed = Bench::connected();
    let frame = replayed.command_frame("c1", "retry_task");
    replayed.driver.frame_received(&frame);
    replayed.turn();
    replayed.driver.frame_received(&frame);
    replayed.turn();
    assert_eq!((replayed.closed.len(), replayed.jobs.len()), (1, 1));

    let mut stale = Bench::connected();
    let frame = stale.command_frame("c1", "retry_task");
    stale.pass(limits::FRAME_SKEW_MAX + Duration::from_secs(1));
    stale.driver.frame_received(&frame);
    stale.turn();
    assert_eq!((stale.closed.len(), stale.jobs.len()), (1, 0));
}

#[test]
fn refused_credentials_are_tried_again_slowly_and_lost_links_quickly() {
    let mut bench = Bench::new(BufferLimits::default());
    let mut delays = Vec::new();
    for _ in 0..3 {
        assert!(bench.driver.dial_now());
        bench.driver.link_opened();
        bench.closed_by_brain(4401);
        let delay = bench
            .driver
            .wake_at()
            .unwrap()
            .saturating_sub(bench.env.elapsed());
        delays.push(delay.as_secs());
        bench.pass(delay);
    }
    assert_eq!(bench.waits_because(), Some(FailureClass::Auth));
    // Ten seconds, doubled each time, and three tenths of chance.
    assert_eq!(delays, [13, 26, 52]);

    let mut live = Bench::connected();
    live.closed_by_brain(4401);
    assert_eq!(live.waits_because(), Some(FailureClass::Connection));
    assert!(live.driver.wake_at().unwrap() <= Duration::from_secs(1));
}

#[test]
fn a_session_that_dies_before_an_ack_does_not_make_the_delays_start_anew() {
    let mut bench = Bench::new(BufferLimits::default());
    let mut delays = Vec::new();
    for _ in 0..4 {
        bench.connect(1 << 20);
        bench.driver.link_ended();
        let delay = bench
            .driver
            .wake_at()
            .unwrap()
            .saturating_sub(bench.env.elapsed());
        delays.push(delay.as_secs());
        bench.pass(delay);
    }
    assert_eq!(delays, [1, 2, 4, 8]);
    bench.connect(1 << 20);
    bench.capture("one");
    let batch = bench.turn().remove(0);
    bench.acknowledge(&batch);
    bench.driver.link_ended();
    let delay = bench
        .driver
        .wake_at()
        .unwrap()
        .saturating_sub(bench.env.elapsed());
    assert_eq!(delay.as_secs(), 1);
}

#[test]
fn a_brain_that_does_not_answer_the_hello_is_left_after_ten_seconds() {
    let mut bench = Bench::new(BufferLimits::default());
    assert!(bench.driver.dial_now());
    bench.driver.link_opened();
    bench.driver.next_frame().expect("a hello");
    bench.driver.frame_sent();
    assert_eq!(bench.driver.wake_at(), Some(limits::HELLO_WAIT));
    bench.pass(limits::HELLO_WAIT);
    assert!(bench.turn().is_empty());
    assert_eq!(bench.closed.len(), 1);
    assert_eq!(bench.waits_because(), Some(FailureClass::Connection));
}

#[test]
fn a_stop_delivers_what_is_buffered_and_then_closes_normally() {
    let mut bench = Bench::connected();
    bench.capture("last words");
    bench
        .driver
        .stop(bench.env.elapsed() + Duration::from_secs(5));
    bench.driver.captures_ended();
    let batch = bench.turn().remove(0);
    assert!(!bench.driver.is_stopped());
    bench.acknowledge(&batch);
    assert!(bench.turn().is_empty());
    assert!(bench.driver.is_stopped());
    assert_eq!(
        bench
            .closed
            .iter()
            .map(|reason| reason.code)
            .collect::<Vec<_>>(),
        [1000]
    );
    assert_eq!(bench.driver.state().buffered_events, 0);
}

#[test]
fn a_stop_ends_at_its_deadline_when_the_brain_does_not_acknowledge() {
    let mut bench = Bench::connected();
    bench.capture("last words");
    bench.driver.captures_ended();
    bench
        .driver
        .stop(bench.env.elapsed() + Duration::from_secs(5));
    bench.turn();
    bench.pass(Duration::from_secs(5));
    bench.turn();
    assert!(bench.driver.is_stopped());
    assert_eq!(bench.driver.state().buffered_events, 1);
}

#[test]
fn while_it_stops_the_agent_refuses_new_commands_with_a_reason() {
    let mut bench = Bench::connected();
    bench.capture("keeps it from ending");
    bench
        .driver
        .stop(bench.env.elapsed() + Duration::from_secs(5));
    bench.turn();
    let sent = bench.command("c1", "retry_task");
    assert_eq!(
        kinds(&sent),
        [FrameType::CommandAck, FrameType::CommandResult]
    );
    assert_eq!(sent[1].payload["error"], "the agent is stopping");
    assert!(bench.jobs.is_empty());
}

#[test]
fn a_flood_of_commands_is_bounded_and_makes_the_agent_stop_reading() {
    let mut bench = Bench::connected();
    for number in 0..COMMANDS_OPEN_MAX + 300 {
        assert!(bench.driver.wants_frames() || number >= ANSWERS_WAITING_MAX / 2);
        let frame = bench.command_frame(&format!("c{number}"), "retry_task");
        bench.driver.frame_received(&frame);
    }
    assert!(!bench.driver.wants_frames());
    bench.turn();
    assert!(bench.driver.wants_frames());
    assert_eq!(bench.jobs.len(), COMMANDS_OPEN_MAX);
}
