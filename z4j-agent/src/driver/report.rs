//! Frames that the agent writes: answers first, then signs of life, then events.

use bytes::Bytes;
use tracing::warn;
use z4j_core::limits;
use z4j_core::session::FailureClass;
use z4j_core::wire::{AgentStatus, BatchStream, FrameType, Heartbeat, SignError, new_frame_id};

use super::live::Transit;
use super::{Driver, Phase};
use crate::buffer::{Due, Kept};
use crate::commands::Answer;

impl Driver {
    pub(super) fn next_signed(&mut self) -> Option<Bytes> {
        self.next_answer()
            .or_else(|| self.next_sign_of_life())
            .or_else(|| self.next_batch())
    }

    fn next_answer(&mut self) -> Option<Bytes> {
        let Phase::Live(live) = &mut self.phase else {
            return None;
        };
        loop {
            let (kind, id, payload) = match self.desk.next_answer()? {
                Answer::Ack {
                    command_id,
                    claim_token,
                } => {
                    let payload =
                        serde_json::json!({ "delivery_claim_token": claim_token }).to_string();
                    (FrameType::CommandAck, command_id, payload)
                }
                Answer::Result {
                    command_id,
                    claim_token,
                    body,
                } => (
                    FrameType::CommandResult,
                    command_id,
                    body.to_json(claim_token.as_deref()),
                ),
            };
            match live.signer.sign_json(kind, id, payload.as_bytes()) {
                Ok(frame) => {
                    live.sending(Transit::Answer);
                    return Some(frame.into());
                }
                Err(error) => {
                    warn!(%error, command_id = %id, "an answer to a command cannot be sent");
                    if self.desk.shrink_answer(payload.len()) {
                        self.ledger.rejected_result();
                    }
                }
            }
        }
    }

    fn next_sign_of_life(&mut self) -> Option<Bytes> {
        let now = self.env.elapsed();
        let (kind, signed) = match &mut self.phase {
            Phase::Live(live) if live.heartbeat_due(now) => {
                live.heartbeat_written();
                let heartbeat = self.heartbeat();
                (
                    FrameType::Heartbeat,
                    self.sign(FrameType::Heartbeat, &heartbeat),
                )
            }
            Phase::Live(live) if live.status_due() => {
                live.status_written(now);
                let status = self.status();
                (
                    FrameType::AgentStatus,
                    self.sign(FrameType::AgentStatus, &status),
                )
            }
            _ => return None,
        };
        match signed? {
            Ok(frame) => {
                if let Phase::Live(live) = &mut self.phase {
                    live.sending(Transit::Other);
                }
                Some(frame.into())
            }
            Err(error) => {
                warn!(%error, %kind, "a sign of life cannot be sent");
                self.ledger.rejected_other();
                None
            }
        }
    }

    fn sign<T: serde::Serialize>(
        &mut self,
        kind: FrameType,
        payload: &T,
    ) -> Option<Result<Vec<u8>, SignError>> {
        let id = new_frame_id(kind, &self.env);
        match &mut self.phase {
            Phase::Live(live) => Some(live.signer.sign(kind, &id, payload)),
            _ => None,
        }
    }

    fn next_batch(&mut self) -> Option<Bytes> {
        let Phase::Live(live) = &mut self.phase else {
            return None;
        };
        if !live.has_greeted() {
            return None;
        }
        loop {
            let env = &self.env;
            let new_id = || new_frame_id(FrameType::EventBatch, env);
            match self
                .buffer
                .next_due(env.elapsed(), live.payload_bytes_max(), new_id)?
            {
                Due::Oversize => {
                    warn!("an event is larger than any frame that the brain takes and was dropped");
                    self.ledger.rejected_event();
                }
                Due::Batch { id, events, stream } => {
                    let signed = live.signer.sign_json(
                        FrameType::EventBatch,
                        id,
                        &batch_payload(events, stream),
                    );
                    match signed {
                        Ok(frame) => {
                            live.sending(Transit::Other);
                            self.last_flush_at = Some(self.env.now());
                            return Some(frame.into());
                        }
                        Err(error) => {
                            // Events are canonical and measured before they are framed, so this does not happen; if it
                            // does, the frame must not block those behind it.
                            warn!(%error, events = events.len(), "a frame of events cannot be signed and was dropped");
                            let id = id.to_owned();
                            for _ in 0..self.buffer.discard(&id) {
                                self.ledger.rejected_event();
                            }
                        }
                    }
                }
            }
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        let loss = self.ledger.report();
        Heartbeat {
            buffer_size: self.buffer_depth(),
            last_flush_at: self.last_flush_at.map(|at| at.to_string()),
            dropped_events: loss.dropped_events(),
            telemetry_loss: Some(loss),
            adapter_health: self.health.clone(),
        }
    }

    fn status(&self) -> AgentStatus {
        let age = match &self.phase {
            Phase::Live(live) => Some(live.age(self.env.elapsed()).as_secs_f64()),
            _ => None,
        };
        let streak = |class| u64::from(self.backoff.streak(class)).min(limits::STREAK_MAX);
        AgentStatus {
            auth_failure_streak: streak(FailureClass::Auth),
            protocol_failure_streak: streak(FailureClass::Protocol)
                + streak(FailureClass::Incompatible),
            connection_failure_streak: streak(FailureClass::Connection),
            last_successful_connect_at: self.last_connect_at.map(|at| at.to_string()),
            current_session_age_seconds: age,
            buffer_depth: self.buffer_depth(),
            buffer_oldest_age_seconds: None,
            agent_version: self.hello.agent_version.clone(),
            protocol_version: self.hello.protocol_version.clone(),
            engines: self.hello.engines.clone(),
            schedulers: self.hello.schedulers.clone(),
            telemetry_loss: Some(self.ledger.report()),
        }
    }

    fn buffer_depth(&self) -> u64 {
        u64::try_from(self.buffer.len())
            .unwrap_or(u64::MAX)
            .min(limits::HEARTBEAT_COUNT_MAX)
    }
}

fn batch_payload(events: &[Kept], stream: Option<&BatchStream>) -> Vec<u8> {
    let bytes: usize = events.iter().map(|kept| kept.json.get().len() + 1).sum();
    let mut payload = Vec::with_capacity(bytes + 64);
    payload.extend_from_slice(br#"{"events":["#);
    for (index, kept) in events.iter().enumerate() {
        if index > 0 {
            payload.push(b',');
        }
        payload.extend_from_slice(kept.json.get().as_bytes());
    }
    payload.push(b']');
    if let Some(Ok(place)) = stream.map(serde_json::to_vec) {
        payload.extend_from_slice(br#","stream":"#);
        payload.extend_from_slice(&place);
    }
    payload.push(b'}');
    payload
}
