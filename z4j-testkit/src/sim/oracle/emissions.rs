//! What agents emitted and what became of it.

use serde_json::Value;
use z4j_core::id::{AgentId, EventId, ProjectId, TaskKey};
use z4j_core::store::{EventOutcome, IngestBatch, IngestReceipt};
use z4j_core::time::Timestamp;

use super::Oracle;
use crate::sim::Situation;
use crate::sim::network::ProcessNo;

/// What kind of report an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Of the process that it happened in.
    Own,
    /// Of another process than the one it happened in: left to that one while it is connected.
    SecondHand,
    /// Can never be stored; its frame is acknowledged and it is in the quarantine.
    Poison,
}

/// What became of an event on its agent's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not acknowledged.
    Kept,
    /// An ack reached the agent.
    Acknowledged,
    /// Dropped because the buffer was full.
    Evicted,
    /// Lost with the memory of its process.
    LostWithMemory,
}

/// An event that a process emitted.
#[derive(Clone, Debug)]
pub(crate) struct Emission {
    pub(crate) process: ProcessNo,
    pub(crate) agent: AgentId,
    pub(crate) project: ProjectId,
    pub(crate) key: TaskKey,
    pub(crate) kind: String,
    /// As sent.
    pub(crate) occurred_at: String,
    /// The same to the microsecond, when it can be read.
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) data: Value,
    /// Its identity; that of its place in a frame when it has no other.
    pub(crate) id: Option<EventId>,
    pub(crate) standing: Standing,
    pub(crate) fate: Fate,
    /// When it was emitted, by true time.
    pub(crate) at: Timestamp,
}

impl Oracle {
    /// A process emitted an event.
    pub(crate) fn emitted(&self, emission: Emission) -> usize {
        self.record.note(format_args!(
            "emit p{} {} {} {}",
            emission.process.0, emission.key.task_id, emission.kind, emission.occurred_at
        ));
        let mut facts = self.lock();
        let index = facts.emissions.len();
        if let Some(id) = emission.id {
            let same = facts.by_id.entry((emission.project, id)).or_default();
            same.push(index);
        }
        facts.emissions.push(emission);
        index
    }

    /// Events that a full buffer dropped.
    pub(crate) fn evicted(&self, indexes: &[usize]) {
        if indexes.is_empty() {
            return;
        }
        self.record.meet(Situation::Evicted);
        let mut facts = self.lock();
        for index in indexes {
            if let Some(emission) = facts.emissions.get_mut(*index) {
                emission.fate = Fate::Evicted;
            }
        }
    }

    /// A process died, and its memory buffer with it.
    pub(crate) fn memory_lost(&self, process: ProcessNo) {
        let mut facts = self.lock();
        let mut is_any = false;
        for emission in &mut facts.emissions {
            if emission.process == process && emission.fate == Fate::Kept {
                emission.fate = Fate::LostWithMemory;
                is_any = true;
            }
        }
        if let Some(process) = facts.processes.get_mut(&process) {
            process.is_dead = true;
        }
        drop(facts);
        if is_any {
            self.record.meet(Situation::MemoryLost);
        }
    }

    /// The store took a batch.
    pub(crate) fn committed(&self, batch: &IngestBatch, receipt: &IngestReceipt) {
        let mut facts = self.lock();
        let mut broken = Vec::new();
        for frame in &batch.poison {
            facts.quarantined.insert((frame.project_id, frame.id));
        }
        for (event, outcome) in batch.events.iter().zip(&receipt.outcomes) {
            let key = (event.project_id, event.id);
            match outcome {
                EventOutcome::Inserted => {
                    if !facts.committed.insert(key) {
                        broken.push(event.id);
                    }
                    let same = facts.by_id.get(&key).and_then(|same| same.first());
                    let emission = same.and_then(|index| facts.emissions.get(*index));
                    if emission.is_some_and(|e| e.standing == Standing::SecondHand) {
                        self.record.meet(Situation::SecondHandKept);
                    }
                }
                EventOutcome::Duplicate => {
                    self.record.meet(Situation::ResendAbsorbed);
                    facts.committed.insert(key);
                }
                EventOutcome::Poison(_) => {
                    facts.quarantined.insert(key);
                }
            }
        }
        if !batch.events.is_empty() && !batch.poison.is_empty() {
            self.record.meet(Situation::PoisonInBatch);
        }
        drop(facts);
        for id in broken {
            self.record.violate(
                "stored_once",
                format!("event {id} was inserted a second time"),
            );
        }
    }
}
