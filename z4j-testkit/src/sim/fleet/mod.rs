//! The processes with agents in them: started, killed, moved, and made to report.

mod emit;
mod engine;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::task::JoinSet;
use z4j_agent::{Agent, AgentHandle, BufferLimits, ConfigError, Credential, EventTap};
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::keys::SecretKey;
use z4j_core::transport::{Endpoint, Link, Transport, TransportError};

use super::clock::{self, SimClock};
use super::network::{BrainNo, Network, ProcessNo};
use super::oracle::{Oracle, ProcessFacts};
use super::stock::{Disk, StockAgent, StockSetup};
use super::{AgentBug, Chance, Situation};
pub(crate) use emit::{Entry, EventSpec};
use engine::SimEngine;

/// Which deployment a process belongs to: it keeps its name, its host and its credential when the process is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlotNo(pub(crate) u32);

/// What kind of agent a slot runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgentKind {
    /// The published one, as a model.
    Stock,
    /// This project's own.
    Rust,
}

/// A deployment of an agent.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) no: SlotNo,
    pub(crate) kind: AgentKind,
    pub(crate) agent: AgentId,
    pub(crate) project: ProjectId,
    pub(crate) token: String,
    pub(crate) hmac_secret: String,
    pub(crate) worker: String,
    /// Entries that its buffer holds.
    pub(crate) entries_max: usize,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) disk: Disk,
    pub(crate) home: BrainNo,
}

/// A process that runs.
struct Process {
    no: ProcessNo,
    body: Body,
}

enum Body {
    Stock(#[expect(dead_code, reason = "dropping it ends the process")] JoinSet<()>),
    Rust { tap: EventTap, handle: AgentHandle },
}

#[derive(Default)]
struct State {
    slots: BTreeMap<SlotNo, Slot>,
    running: BTreeMap<SlotNo, Process>,
    last_process: u32,
}

/// All processes.
pub(crate) struct Fleet {
    seed: u64,
    network: Network,
    oracle: Arc<Oracle>,
    bug: Option<AgentBug>,
    has_jitter: bool,
    state: Mutex<State>,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").finish_non_exhaustive()
    }
}

/// Dials over the simulated network.
#[derive(Debug)]
struct SimTransport {
    network: Network,
    process: ProcessNo,
}

#[async_trait]
impl Transport for SimTransport {
    async fn dial(&self, endpoint: &Endpoint) -> Result<Link, TransportError> {
        self.network
            .dial(self.process, endpoint.expose_token())
            .await
    }
}

impl Fleet {
    pub(crate) fn new(
        seed: u64,
        network: Network,
        oracle: Arc<Oracle>,
        (bug, has_jitter): (Option<AgentBug>, bool),
    ) -> Self {
        Self {
            seed,
            network,
            oracle,
            bug,
            has_jitter,
            state: Mutex::default(),
        }
    }

    pub(crate) fn add(&self, slot: Slot) {
        self.lock().slots.insert(slot.no, slot);
    }

    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.lock().slots.values().cloned().collect()
    }

    pub(crate) fn slot(&self, no: SlotNo) -> Option<Slot> {
        self.lock().slots.get(&no).cloned()
    }

    /// Starts the process of a slot, unless it runs.
    ///
    /// # Errors
    /// An agent that cannot be built.
    pub(crate) fn start(&self, no: SlotNo) -> Result<(), ConfigError> {
        let mut state = self.lock();
        let Some(slot) = state.slots.get(&no).cloned() else {
            return Ok(());
        };
        if state.running.contains_key(&no) {
            return Ok(());
        }
        state.last_process += 1;
        let process = ProcessNo(state.last_process);
        drop(state);
        self.oracle
            .record()
            .note(format_args!("process p{} slot {}", process.0, no.0));
        let facts = ProcessFacts {
            agent: slot.agent,
            project: slot.project,
            is_in_memory: slot.kind == AgentKind::Rust,
            declared: 0,
            is_dead: false,
            dials: Vec::new(),
        };
        self.oracle.process(process, facts);
        self.network.set_home(process, slot.home);
        let body = match slot.kind {
            AgentKind::Stock => self.stock(&slot, process),
            AgentKind::Rust => self.rust(&slot, process)?,
        };
        let process = Process { no: process, body };
        self.lock().running.insert(no, process);
        Ok(())
    }

    fn stock(&self, slot: &Slot, process: ProcessNo) -> Body {
        let name = format!("process {}", process.0);
        let setup = StockSetup {
            process,
            token: slot.token.clone(),
            key: SecretKey::from_hmac_secret(&slot.hmac_secret)
                .unwrap_or_else(|_| SecretKey::from_bytes(Vec::new())),
            env: clock::env(&slot.clock, self.seed, &name),
            disk: slot.disk.clone(),
            chance: Chance::new(self.seed, &format!("{name} engine")),
            worker: slot.worker.clone(),
            pid: 1000 + process.0,
            bug: self.bug,
        };
        let agent = StockAgent::new(setup, self.network.clone(), Arc::clone(&self.oracle));
        let mut tasks = JoinSet::new();
        tasks.spawn(agent.run());
        Body::Stock(tasks)
    }

    fn rust(&self, slot: &Slot, process: ProcessNo) -> Result<Body, ConfigError> {
        let name = format!("process {}", process.0);
        let env = if self.has_jitter {
            clock::env(&slot.clock, self.seed, &name)
        } else {
            clock::env_without_jitter(&slot.clock, self.seed, &name)
        };
        let tap = EventTap::new(10_000);
        let engine = SimEngine {
            tap: tap.clone(),
            process,
            worker: slot.worker.clone(),
            oracle: Arc::clone(&self.oracle),
            chance: Mutex::new(Chance::new(self.seed, &format!("{name} engine"))),
        };
        let credential = Credential::new(slot.token.as_str(), "sim", slot.hmac_secret.as_str());
        let transport = SimTransport {
            network: self.network.clone(),
            process,
        };
        let handle = Agent::builder("http://sim", credential)
            .with_engine(engine)
            .with_name(slot.worker.as_str())
            .with_transport(transport)
            .with_env(env)
            .with_process_id(1000 + process.0)
            .with_buffer(BufferLimits {
                events_max: slot.entries_max,
                bytes_max: 16 << 20,
            })
            .build()?
            .spawn();
        Ok(Body::Rust { tap, handle })
    }

    /// Ends a process in the middle of whatever it does. `is_told`: its machine lives and resets its connections.
    pub(crate) fn kill(&self, no: SlotNo, is_told: bool) {
        let mut state = self.lock();
        let Some(process) = state.running.remove(&no) else {
            return;
        };
        drop(state);
        let record = self.oracle.record();
        record.note(format_args!("kill p{}", process.no.0));
        self.network.process_down(process.no, is_told);
        match &process.body {
            Body::Rust { handle, .. } => {
                self.oracle.declares(process.no, handle.state().lost_events);
                self.oracle.memory_lost(process.no);
            }
            Body::Stock(_) => record.meet(Situation::DiskKept),
        }
        drop(process);
    }

    /// A sibling takes over the buffer of a slot whose process is dead.
    pub(crate) fn adopt(&self, from: SlotNo) {
        let state = self.lock();
        if state.running.contains_key(&from) {
            return;
        }
        let Some(dead) = state.slots.get(&from) else {
            return;
        };
        let sibling = state.slots.values().find(|slot| {
            slot.no != from
                && slot.kind == AgentKind::Stock
                && slot.project == dead.project
                && state.running.contains_key(&slot.no)
        });
        if let Some(sibling) = sibling
            && dead.kind == AgentKind::Stock
            && dead.disk.len() > 0
        {
            sibling.disk.adopt(&dead.disk);
            self.oracle.adopted(sibling.agent);
        }
    }

    /// Sends a slot's process to another brain at its next dial.
    pub(crate) fn move_to(&self, no: SlotNo, brain: BrainNo) {
        let mut state = self.lock();
        if let Some(slot) = state.slots.get_mut(&no) {
            if slot.home != brain {
                self.oracle.record().meet(Situation::Moved);
            }
            slot.home = brain;
        }
        if let Some(process) = state.running.get(&no) {
            self.network.set_home(process.no, brain);
        }
    }

    /// The process that a slot runs.
    pub(crate) fn process(&self, no: SlotNo) -> Option<ProcessNo> {
        Some(self.lock().running.get(&no)?.no)
    }

    /// Events and batches that wait for an ack, by slot; those with none are left out.
    pub(crate) fn buffered(&self) -> Vec<(SlotNo, usize)> {
        let state = self.lock();
        let slots = state.slots.values().map(|slot| {
            let kept = match state.running.get(&slot.no).map(|process| &process.body) {
                Some(Body::Rust { handle, .. }) => handle.state().buffered_events,
                _ => slot.disk.len(),
            };
            (slot.no, kept)
        });
        slots.filter(|(_, kept)| *kept > 0).collect()
    }

    /// Tells the oracle what the running processes declare as lost.
    pub(crate) fn note_declared(&self) {
        let state = self.lock();
        for process in state.running.values() {
            if let Body::Rust { handle, .. } = &process.body {
                self.oracle.declares(process.no, handle.state().lost_events);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
