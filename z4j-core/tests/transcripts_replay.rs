//! Frames captured from real agents replay through decoder and verifier.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::use_self,
    reason = "a test program: a failure is a panic"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use z4j_core::id::ProjectId;
use z4j_core::keys::MasterSecret;
use z4j_core::time::Timestamp;
use z4j_core::wire::{
    BatchEntry, Frame, Received, Refusal, SessionBinding, Verifier, decode_hello, decode_hello_ack,
};

const MASTER: &[u8] = b"throwaway-test-master-secret-0123456789abcdef-NOT-REAL";

#[derive(Deserialize)]
struct Line {
    dir: String,
    frame: Option<Box<RawValue>>,
    http: Option<Http>,
}

#[derive(Deserialize)]
struct Http {
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<HttpBody>,
}

#[derive(Deserialize)]
struct HttpBody {
    #[serde(default)]
    frames: Vec<String>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    ts: Option<Timestamp>,
}

/// One verifier per direction of one session.
struct Session {
    upward: Verifier,
    downward: Verifier,
}

impl Session {
    fn new(agent_id: &str, project_id: &str, session_id: &str) -> Self {
        let project: ProjectId = project_id.parse().unwrap();
        let key = MasterSecret::new(MASTER.to_vec())
            .unwrap()
            .project_key(project);
        let binding = SessionBinding {
            agent_id: agent_id.to_owned(),
            project_id: project_id.to_owned(),
            session_id: session_id.to_owned(),
        };
        Self {
            upward: Verifier::new(&key, binding.clone()),
            downward: Verifier::new(&key, binding),
        }
    }
}

#[derive(Default)]
struct Replay {
    session: Option<Session>,
    hellos: usize,
    verified: BTreeMap<String, usize>,
    events: usize,
    malformed: usize,
    refused: Vec<&'static str>,
}

impl Replay {
    fn of(text: &str) -> Self {
        let mut replay = Self::default();
        for line in text.lines() {
            let line: Line = serde_json::from_str(line).unwrap();
            if let Some(frame) = &line.frame {
                replay.frame(&line.dir, frame.get());
            }
            if let Some(http) = &line.http {
                replay.http(&line.dir, http);
            }
        }
        replay
    }

    fn http(&mut self, dir: &str, http: &Http) {
        if let (None, Some(nonce)) = (&self.session, http.headers.get("X-Z4J-Session-Nonce")) {
            self.session = Some(Session::new(
                "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
                "11111111-2222-4333-8444-555555555555",
                nonce,
            ));
        }
        for frame in http.body.iter().flat_map(|body| &body.frames) {
            self.frame(dir, frame);
        }
    }

    fn frame(&mut self, dir: &str, frame: &str) {
        let head: Head = serde_json::from_str(frame).unwrap();
        match head.kind.as_str() {
            "hello" => match decode_hello(frame.as_bytes()) {
                Ok((_, hello)) => {
                    self.hellos += 1;
                    assert_eq!(hello.framework, "bare");
                }
                Err(refusal) => self.refused.push(refusal.reason()),
            },
            "hello_ack" => {
                let ack = decode_hello_ack(frame.as_bytes()).unwrap();
                self.session = Some(Session::new(
                    &ack.agent_id,
                    &ack.project_id,
                    &ack.session_id,
                ));
            }
            _ => self.signed(dir, frame, &head),
        }
    }

    fn signed(&mut self, dir: &str, frame: &str, head: &Head) {
        let session = self.session.as_mut().unwrap();
        let upward = dir == "agent->brain";
        let verifier = if upward {
            &mut session.upward
        } else {
            &mut session.downward
        };
        let received = Received {
            at: head.ts.unwrap(),
            elapsed: Duration::from_secs(1),
            held_up: Duration::ZERO,
        };
        match verifier.verify(frame.as_bytes(), received) {
            Ok(verified) => {
                let decoded = verified.decode().unwrap();
                assert_eq!(decoded.kind().as_str(), head.kind);
                *self.verified.entry(head.kind.clone()).or_default() += 1;
                if let Frame::EventBatch(batch) = decoded {
                    for entry in &batch.entries {
                        let BatchEntry::Event(event) = entry else {
                            self.malformed += 1;
                            continue;
                        };
                        assert!(!event.kind.is_empty());
                        assert!(Timestamp::parse(&event.occurred_at, true).is_ok());
                        self.events += 1;
                    }
                }
            }
            Err(refusal) => self.refused.push(refusal.reason()),
        }
    }

    fn total(&self) -> usize {
        self.verified.values().sum()
    }
}

macro_rules! transcript {
    ($name:literal) => {
        Replay::of(include_str!(concat!("data/transcripts/", $name, ".jsonl")))
    };
}

#[test]
fn every_frame_of_the_published_agents_verifies() {
    for (replay, hellos, frames) in [
        (transcript!("ws-celery-worker"), 1, 163),
        (transcript!("ws-rq-worker"), 1, 94),
        (transcript!("ws-celerybeat-schedules"), 1, 36),
        (transcript!("ws-bare-stub-engine"), 1, 24),
        (transcript!("ws-ack-withheld-90s"), 1, 8),
        (transcript!("ws-minimal-hello-ack"), 1, 8),
        (transcript!("ws-oversize-drop"), 1, 3),
        (transcript!("ws-fatal-error-frame"), 1, 2),
        (transcript!("ws-close-4003-established"), 2, 10),
        (transcript!("ws-close-4401"), 0, 0),
    ] {
        assert_eq!((replay.refused.len(), replay.malformed), (0, 0));
        assert_eq!((replay.hellos, replay.total()), (hellos, frames));
    }
}

#[test]
fn the_tampered_command_is_the_only_frame_refused_in_its_transcript() {
    let replay = transcript!("ws-tampered-command");
    assert_eq!(replay.refused, ["hmac"]);
    assert_eq!(replay.total(), 10);
}

#[test]
fn a_frame_type_outside_the_protocol_is_refused_as_unknown() {
    let replay = transcript!("ws-unknown-frame-type");
    assert_eq!(replay.refused, [Refusal::UnknownType.reason()]);
    assert_eq!(replay.total(), 10);
}

#[test]
fn long_poll_frames_verify_with_the_nonce_as_session() {
    let replay = transcript!("longpoll");
    assert_eq!(replay.refused, [""; 0]);
    assert_eq!(replay.events, 4);
    assert_eq!(replay.verified.get("command_result"), Some(&2));
}

#[test]
fn the_reference_brain_and_an_independent_agent_agree_with_us() {
    let replay = transcript!("ws-independent-agent-vs-reference-brain");
    assert_eq!(replay.hellos, 9);
    assert_eq!(replay.refused, [""; 0]);
    assert_eq!(replay.malformed, 1);
    assert_eq!(replay.total(), 13);
}
