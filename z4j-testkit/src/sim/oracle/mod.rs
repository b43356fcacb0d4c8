//! What was promised to whom: everything that agents emitted, every ack that a brain made, every command.
//!
//! The oracle sees each frame as its sender sends it and each write as the store takes it. It decides nothing and
//! disturbs nothing; what it finds broken at once it reports at once, the rest is for the audit at the end.

mod commands;
mod emissions;
mod frames;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use z4j_core::id::{AgentId, CommandId, EventId, ProjectId, ReplicaId, StreamId};
use z4j_core::store::{LeaseGrant, StreamKey};

use super::Situation;
use super::network::{BrainNo, LinkNo, ProcessNo};
use super::record::Record;
pub(crate) use commands::{CommandFacts, IssuedCommand};
pub(crate) use emissions::{Emission, Fate, Standing};
pub(crate) use frames::LinkLog;

/// What is known of a process.
#[derive(Clone, Debug)]
pub(crate) struct ProcessFacts {
    pub(crate) agent: AgentId,
    pub(crate) project: ProjectId,
    /// Its buffer is lost with it.
    pub(crate) is_in_memory: bool,
    /// Events that it declared as lost when it was last looked at.
    pub(crate) declared: u64,
    pub(crate) is_dead: bool,
    /// When it dialled.
    pub(crate) dials: Vec<Duration>,
}

/// A resumable stream as its agent sends it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamLog {
    pub(crate) id: Option<StreamId>,
    /// The event at each position.
    pub(crate) positions: BTreeMap<u64, EventId>,
}

#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) emissions: Vec<Emission>,
    pub(crate) by_id: BTreeMap<(ProjectId, EventId), Vec<usize>>,
    pub(crate) processes: BTreeMap<ProcessNo, ProcessFacts>,
    pub(crate) links: BTreeMap<LinkNo, LinkLog>,
    /// Events that the store took.
    pub(crate) committed: BTreeSet<(ProjectId, EventId)>,
    /// What the store put into the quarantine.
    pub(crate) quarantined: BTreeSet<(ProjectId, EventId)>,
    pub(crate) commands: BTreeMap<CommandId, CommandFacts>,
    /// The resumable streams of Rust processes.
    pub(crate) streams: BTreeMap<ProcessNo, StreamLog>,
    /// Agents that took over the buffer of a sibling and send it as themselves.
    pub(crate) adopters: BTreeSet<AgentId>,
    /// The highest number that an agent took, by session.
    pub(crate) accepted: BTreeMap<String, u64>,
    /// The last holder of each lease, and its fencing number.
    pub(crate) leases: BTreeMap<String, (ReplicaId, u64)>,
}

/// What was promised to whom.
#[derive(Debug)]
pub(crate) struct Oracle {
    record: Record,
    facts: Mutex<Facts>,
}

impl Oracle {
    pub(crate) fn new(record: Record) -> Self {
        Self {
            record,
            facts: Mutex::default(),
        }
    }

    /// A process began.
    pub(crate) fn process(&self, process: ProcessNo, facts: ProcessFacts) {
        self.lock().processes.insert(process, facts);
    }

    /// A process dials.
    pub(crate) fn dialled(&self, process: ProcessNo, _brain: BrainNo) {
        let at = self.record.elapsed();
        if let Some(facts) = self.lock().processes.get_mut(&process) {
            facts.dials.push(at);
        }
    }

    /// An agent took over the buffer of a dead sibling.
    pub(crate) fn adopted(&self, by: AgentId) {
        self.record.meet(Situation::Adopted);
        self.lock().adopters.insert(by);
    }

    /// How many events a process has declared as lost by now.
    pub(crate) fn declares(&self, process: ProcessNo, events: u64) {
        if let Some(facts) = self.lock().processes.get_mut(&process) {
            facts.declared = events;
        }
    }

    /// A brain was given a lease: with a new holder the number must grow.
    pub(crate) fn lease_held(&self, grant: &LeaseGrant) {
        let mut facts = self.lock();
        let held = (grant.holder, grant.fence);
        let Some(before) = facts.leases.insert(grant.name.clone(), held) else {
            return;
        };
        drop(facts);
        if before.0 == grant.holder {
            return;
        }
        self.record.meet(Situation::LeaseTaken);
        if grant.fence <= before.1 {
            let detail = format!(
                "lease {} changed hands under number {}",
                grant.name, grant.fence
            );
            self.record.violate("fenced", detail);
        }
    }

    /// The streams that were offered.
    pub(crate) fn streams(&self) -> Vec<StreamKey> {
        let facts = self.lock();
        let streams = facts.streams.iter();
        streams
            .filter_map(|(process, stream)| {
                let process = facts.processes.get(process)?;
                Some(StreamKey {
                    project_id: process.project,
                    agent_id: process.agent,
                    stream_id: stream.id?,
                })
            })
            .collect()
    }

    /// Looks at everything that is known.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Facts) -> T) -> T {
        look(&self.lock())
    }

    pub(crate) const fn record(&self) -> &Record {
        &self.record
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
