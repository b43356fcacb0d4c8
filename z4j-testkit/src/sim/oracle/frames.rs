//! The frames of each link, as their senders sent them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use z4j_core::id::{EventId, ProjectId};
use z4j_core::identity::{EventOrigin, event_id};
use z4j_core::limits;

use super::{Facts, Fate, Oracle, Standing};
use crate::sim::Situation;
use crate::sim::network::{BrainNo, Direction, LinkNo, ProcessNo};

/// The names that an entry of a batch may be stored under: its identity, and that of its place in the frame.
pub(crate) type BatchEntryIds = (EventId, EventId);

/// What went over a link.
#[derive(Clone, Debug)]
pub(crate) struct LinkLog {
    pub(crate) process: ProcessNo,
    pub(crate) brain: BrainNo,
    pub(crate) project: ProjectId,
    /// Batches that the agent sent here, by frame id.
    pub(crate) batches: BTreeMap<String, Vec<BatchEntryIds>>,
    /// Batches that arrived unspoiled.
    pub(crate) arrived: BTreeSet<String>,
    /// Batches that the brain acknowledged here.
    pub(crate) acked: BTreeSet<String>,
    /// Batches whose ack the agent has not got.
    pub(crate) in_flight: BTreeSet<String>,
    last_seq: BTreeMap<Direction, u64>,
    /// A frame came that was not its sender's, so the link may end at any time.
    pub(crate) is_disturbed: bool,
}

/// What a frame is, for the network.
#[derive(Clone, Debug)]
pub(crate) struct SentFrame {
    pub(crate) label: String,
    pub(crate) is_ack: bool,
    /// Whether it is of a handshake, which no MAC protects.
    pub(crate) is_handshake: bool,
}

impl Oracle {
    /// An end sends a frame.
    pub(crate) fn sent(
        &self,
        link: LinkNo,
        (process, brain): (ProcessNo, BrainNo),
        direction: Direction,
        bytes: &[u8],
    ) -> SentFrame {
        let frame: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let text = |name: &str| frame.get(name).and_then(Value::as_str).unwrap_or_default();
        let (kind, id) = (text("type"), text("id"));
        let project = self.project_of(process);
        let mut facts = self.lock();
        let log = facts.links.entry(link).or_insert_with(|| LinkLog {
            process,
            brain,
            project,
            batches: BTreeMap::new(),
            arrived: BTreeSet::new(),
            acked: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            last_seq: BTreeMap::new(),
            is_disturbed: false,
        });
        let out_of_order = log.takes_seq(direction, frame.get("seq"));
        match (direction, kind) {
            (Direction::Up, "hello") => facts.offered(process, &frame),
            (Direction::Down, "hello_ack") => {
                let position = frame.pointer("/payload/stream/position");
                if position.and_then(Value::as_u64).is_some_and(|at| at > 0) {
                    self.record.meet(Situation::StreamResumed);
                }
            }
            (Direction::Up, "event_batch") => {
                self.batch(log, id, &frame);
                let ids = log.batches.get(id).cloned().unwrap_or_default();
                facts.placed(process, &frame, &ids);
            }
            (Direction::Down, "event_batch_ack") => self.promised(&mut facts, link, &frame),
            (Direction::Down, "command") => self.command_sent(&mut facts, link, id, &frame),
            _ => {}
        }
        drop(facts);
        if out_of_order {
            let detail = format!("link {} {}: {kind} {id}", link.0, direction.as_str());
            self.record.violate("seq_monotone", detail);
        }
        SentFrame {
            label: format!("{kind} {id}"),
            is_ack: kind == "event_batch_ack",
            is_handshake: kind.starts_with("hello"),
        }
    }

    fn project_of(&self, process: ProcessNo) -> ProjectId {
        let facts = self.lock();
        let known = facts.processes.get(&process);
        known.map_or(ProjectId::from_u128(0), |process| process.project)
    }

    fn batch(&self, log: &mut LinkLog, id: &str, frame: &Value) {
        let entries = frame.pointer("/payload/events").and_then(Value::as_array);
        let ids = (0_u32..).zip(entries.into_iter().flatten());
        let ids = ids
            .map(|(index, entry)| ids_of(log.project, id, index, entry))
            .collect();
        if log.batches.insert(id.to_owned(), ids).is_some() {
            self.record.meet(Situation::ResentAfterWait);
        }
        let gaps = frame.pointer("/payload/stream/gaps");
        if gaps
            .and_then(Value::as_array)
            .is_some_and(|gaps| !gaps.is_empty())
        {
            self.record.meet(Situation::GapDeclared);
        }
        log.in_flight.insert(id.to_owned());
        if log.in_flight.len() > limits::UNACKED_BATCHES_MAX {
            self.record.violate(
                "bounded",
                format!("{} batches in flight on one link", log.in_flight.len()),
            );
        }
    }

    /// A brain says that a batch is durable.
    fn promised(&self, facts: &mut Facts, link: LinkNo, frame: &Value) {
        let acked = frame.pointer("/payload/acked_id").and_then(Value::as_str);
        let Some((log, acked)) = facts.links.get_mut(&link).zip(acked) else {
            return;
        };
        let Some(ids) = log.batches.get(acked) else {
            self.record.violate(
                "replay_refused",
                format!(
                    "link {}: {acked} is acknowledged and was never sent here",
                    link.0
                ),
            );
            return;
        };
        log.acked.insert(acked.to_owned());
        let project = log.project;
        let ids = ids.clone();
        for (id, place) in ids {
            let is_there = |id| {
                facts.committed.contains(&(project, id))
                    || facts.quarantined.contains(&(project, id))
            };
            if is_there(id) || is_there(place) {
                continue;
            }
            if is_second_hand(facts, project, id) {
                self.record.meet(Situation::SecondHandLeft);
            } else {
                self.record.violate(
                    "ack_is_durable",
                    format!("event {id} of batch {acked} is acknowledged and not stored"),
                );
            }
        }
    }

    /// A frame reached the other end.
    pub(crate) fn delivered(&self, link: LinkNo, direction: Direction, bytes: &[u8], is_own: bool) {
        let mut facts = self.lock();
        let Some(log) = facts.links.get_mut(&link) else {
            return;
        };
        if !is_own {
            log.is_disturbed = true;
            return;
        }
        let frame: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let kind = frame.get("type").and_then(Value::as_str);
        let id = frame.get("id").and_then(Value::as_str).unwrap_or_default();
        match (direction, kind) {
            (Direction::Up, Some("event_batch")) => {
                log.arrived.insert(id.to_owned());
            }
            (Direction::Down, Some("event_batch_ack")) => {
                let acked = frame.pointer("/payload/acked_id").and_then(Value::as_str);
                let acked = acked.unwrap_or_default();
                log.in_flight.remove(acked);
                let (process, project) = (log.process, log.project);
                let ids = log.batches.get(acked).cloned().unwrap_or_default();
                for (id, _) in ids {
                    facts.acknowledge(process, project, id);
                }
            }
            _ => {}
        }
    }

    /// An agent took a frame as sound: its number must be above that of the last one.
    pub(crate) fn accepted(&self, session: &str, process: ProcessNo, bytes: &[u8]) {
        let frame: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let seq = frame.get("seq").and_then(Value::as_u64).unwrap_or(0);
        let mut facts = self.lock();
        let last = facts.accepted.entry(session.to_owned()).or_default();
        let is_new = seq > *last;
        *last = (*last).max(seq);
        drop(facts);
        if !is_new {
            let detail = format!("process {} took frame {seq} of {session} again", process.0);
            self.record.violate("replay_refused", detail);
        }
    }

    /// An end closes the link with a code.
    pub(crate) fn closed(&self, link: LinkNo, direction: Direction, code: u16) {
        if direction == Direction::Down && code == 4408 {
            self.record.meet(Situation::ClosedAsSilent);
        }
        if let Some(log) = self.lock().links.get_mut(&link) {
            log.is_disturbed = true;
        }
    }

    /// A brain died at once.
    pub(crate) fn brain_died(&self, brain: BrainNo) {
        let facts = self.lock();
        let mut of_brain = facts.links.values().filter(|log| log.brain == brain);
        let is_committed = |log: &LinkLog, id: &String| {
            let ids = log.batches.get(id).into_iter().flatten();
            let mut ids = ids.map(|(id, _)| (log.project, *id));
            ids.any(|id| facts.committed.contains(&id))
        };
        let waits_for_ack = of_brain.any(|log| {
            let mut open = log.arrived.difference(&log.acked);
            open.any(|id| is_committed(log, id))
        });
        if waits_for_ack {
            self.record.meet(Situation::CrashBeforeAck);
        }
    }
}

fn is_second_hand(facts: &Facts, project: ProjectId, id: EventId) -> bool {
    let same = facts.by_id.get(&(project, id));
    let emissions = same
        .into_iter()
        .flatten()
        .filter_map(|index| facts.emissions.get(*index));
    let mut emissions = emissions.peekable();
    emissions.peek().is_some() && emissions.all(|e| e.standing == Standing::SecondHand)
}

/// The names of an entry as it was sent.
fn ids_of(project: ProjectId, frame_id: &str, index: u32, entry: &Value) -> BatchEntryIds {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let place = EventOrigin {
        project,
        engine: "",
        task_id: "",
        kind: "",
        occurred_at: "",
        agent_event_id: "",
        frame_id,
        index,
    };
    let event = EventOrigin {
        engine: text("engine"),
        task_id: text("task_id"),
        kind: text("kind"),
        occurred_at: text("occurred_at"),
        agent_event_id: text("id"),
        ..place
    };
    (event_id(&event), event_id(&place))
}

impl LinkLog {
    /// Notes the number of a frame; true when it does not grow.
    fn takes_seq(&mut self, direction: Direction, seq: Option<&Value>) -> bool {
        let Some(seq) = seq.and_then(Value::as_u64) else {
            return false;
        };
        let last = self.last_seq.insert(direction, seq);
        last.is_some_and(|last| seq <= last)
    }
}

impl Facts {
    /// A hello offers a stream.
    fn offered(&mut self, process: ProcessNo, frame: &Value) {
        let id = frame.pointer("/payload/stream/id").and_then(Value::as_str);
        if let Some(id) = id.and_then(|id| id.parse().ok()) {
            self.streams.entry(process).or_default().id = Some(id);
        }
    }

    /// A batch says where in its stream its events are.
    fn placed(&mut self, process: ProcessNo, frame: &Value, ids: &[BatchEntryIds]) {
        let first = frame.pointer("/payload/stream/first");
        if let Some(first) = first.and_then(Value::as_u64) {
            let stream = self.streams.entry(process).or_default();
            let ids = ids.iter().map(|(id, _)| *id);
            stream.positions.extend((first..).zip(ids));
        }
    }

    fn acknowledge(&mut self, process: ProcessNo, project: ProjectId, id: EventId) {
        let same = self.by_id.get(&(project, id)).cloned().unwrap_or_default();
        for index in same {
            if let Some(emission) = self.emissions.get_mut(index)
                && emission.process == process
                && emission.fate == Fate::Kept
            {
                emission.fate = Fate::Acknowledged;
            }
        }
    }
}
