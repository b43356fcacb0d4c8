//! What runs on the simulated machines.

use std::future::IntoFuture as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use z4j_agent::{Agent, AgentState, LinkState};
use z4j_core::env::{Clock, Env};
use z4j_core::store::Store;
use z4j_core::transport::Transport;

use super::net::{TurmoilDialler, TurmoilListener};
use super::{SimClock, TransportFactory};
use crate::glue::{
    BrainKit, Chance, Ledger, Minted, ScriptedEngine, SeededIds, StockAgent, StockDisk, Tap,
    TaskScript,
};

/// Any host does: the dialler decides where a connection goes.
const URL: &str = "http://brain:7700";
/// One frame of the agents that replay is repeated in so many.
const REPLAY_ONE_IN: u64 = 40;

/// What all hosts of a run share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) seed: u64,
    pub(super) clock: Arc<SimClock>,
    pub(super) kit: BrainKit,
    pub(super) fault_time: Duration,
}

impl Shared {
    /// Time as everywhere, and ids of its own for each start of each host.
    pub(super) fn env(&self, host: &str, start: u64) -> Env {
        let chance = Chance::for_purpose(self.seed, &format!("{host} {start}"));
        let clock: Arc<dyn Clock> = Arc::<SimClock>::clone(&self.clock);
        Env::new(clock, Arc::new(SeededIds::new(chance)))
    }
}

/// A brain's machine. Each start is a new process on the same store.
#[derive(Clone, Debug)]
pub(super) struct BrainHost {
    pub(super) name: String,
    pub(super) shared: Shared,
    starts: Arc<AtomicU64>,
}

impl BrainHost {
    pub(super) fn new(name: String, shared: Shared) -> Self {
        Self {
            name,
            shared,
            starts: Arc::default(),
        }
    }

    pub(super) async fn run(self) -> turmoil::Result {
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let brain = self.shared.kit.brain(self.shared.env(&self.name, start))?;
        let listener = TurmoilListener::bind().await?;
        let serving = axum::serve(listener, brain.router()).into_future();
        let running = brain.run(CancellationToken::new());
        tokio::select! {
            biased;
            served = serving => served?,
            ran = running => ran?,
        }
        Err("a brain ended by itself".into())
    }
}

/// How an agent delivers.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// The Rust agent: its buffer is gone with its process.
    Rust(Arc<Mutex<Option<watch::Receiver<AgentState>>>>),
    /// As the published ones: its buffer is on a disk.
    Stock(StockDisk),
}

/// An agent's machine.
#[derive(Clone)]
pub(super) struct AgentHost {
    pub(super) minted: Minted,
    pub(super) dialler: TurmoilDialler,
    pub(super) kind: Kind,
    pub(super) shared: Shared,
    pub(super) ledger: Ledger,
    pub(super) store: Arc<dyn Store>,
    pub(super) transport: TransportFactory,
    starts: Arc<AtomicU64>,
}

impl AgentHost {
    pub(super) fn new(
        minted: Minted,
        kind: Kind,
        dialler: TurmoilDialler,
        shared: Shared,
        ledger: Ledger,
        transport: TransportFactory,
    ) -> Self {
        Self {
            minted,
            dialler,
            kind,
            store: Arc::clone(shared.kit.store()),
            shared,
            ledger,
            transport,
            starts: Arc::default(),
        }
    }

    pub(super) async fn run(self) -> turmoil::Result {
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let name = self.minted.name.clone();
        let env = self.shared.env(&name, start);
        let tap = self.tap((self.transport)(self.dialler.clone()), start);
        let script = TaskScript::new(self.shared.seed, &format!("{name}.{start}"));
        match &self.kind {
            Kind::Rust(state) => self.rust(&env, tap, script, state).await,
            Kind::Stock(disk) => self.stock(&env, &tap, script, disk.clone()).await,
        }
    }

    /// Published agents never send a signed frame twice, and neither does ours; but somebody on the way may.
    fn tap(&self, transport: Arc<dyn Transport>, start: u64) -> Tap {
        let name = &self.minted.name;
        let tap = Tap::new(
            transport,
            name,
            self.ledger.clone(),
            Arc::clone(&self.store),
        );
        let chance = Chance::for_purpose(self.shared.seed, &format!("replays of {name} {start}"));
        tap.replaying(REPLAY_ONE_IN, chance, self.shared.fault_time)
    }

    async fn rust(
        &self,
        env: &Env,
        tap: Tap,
        mut script: TaskScript,
        state: &Mutex<Option<watch::Receiver<AgentState>>>,
    ) -> turmoil::Result {
        let name = &self.minted.name;
        let engine = ScriptedEngine::new(name, self.minted.id, self.ledger.clone());
        let agent = Agent::builder(URL, self.minted.credential())
            .with_engine(engine.clone())
            .with_name(name)
            .with_transport(tap)
            .with_env(env.clone())
            .build()?
            .spawn();
        *state.lock().unwrap_or_else(PoisonError::into_inner) = Some(agent.watch());
        while env.elapsed() < self.shared.fault_time {
            tokio::time::sleep(script.pause()).await;
            engine.record(script.next(env.now()));
        }
        std::future::pending::<()>().await;
        drop(agent);
        Ok(())
    }

    async fn stock(
        &self,
        env: &Env,
        tap: &Tap,
        mut script: TaskScript,
        disk: StockDisk,
    ) -> turmoil::Result {
        let agent = StockAgent::new(&self.minted, env.clone(), disk, self.ledger.clone())
            .map_err(|error| error.to_string())?;
        let observing = async {
            while env.elapsed() < self.shared.fault_time {
                tokio::time::sleep(script.pause()).await;
                agent.record(&script.next(env.now()));
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = agent.run(tap, URL) => {}
            () = observing => {}
        }
        Ok(())
    }

    /// Why this agent is not back to normal; `None` when it is.
    pub(super) fn unsettled(&self) -> Option<String> {
        let name = &self.minted.name;
        if self.ledger.open_links(name).is_empty() {
            return Some(format!("{name} has no link"));
        }
        let waiting = match &self.kind {
            Kind::Stock(disk) => disk.waiting(),
            Kind::Rust(state) => {
                let state = state.lock().unwrap_or_else(PoisonError::into_inner);
                let state = state.as_ref().map(|state| *state.borrow())?;
                if state.link != LinkState::Connected {
                    return Some(format!("{name} is {}", state.link));
                }
                state.buffered_events
            }
        };
        (waiting > 0).then(|| format!("{name} has {waiting} events in its buffer"))
    }
}
