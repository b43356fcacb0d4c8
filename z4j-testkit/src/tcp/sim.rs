//! Runs a seed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use turmoil::Sim;
use z4j_agent::transport::WsTransport;
use z4j_core::store::Store;
use z4j_core::transport::Transport;

use super::faults::{self, Fault};
use super::hosts::{AgentHost, BrainHost, Kind, Shared};
use super::stage::Stage;
use super::{SimClock, TcpReport, TurmoilDialler};
use crate::glue::{BrainKit, Chance, GlueError, Ledger, Minted};
use crate::mem::MemStore;

/// Makes the transport of an agent from what opens its streams.
pub type TransportFactory = Arc<dyn Fn(TurmoilDialler) -> Arc<dyn Transport> + Send + Sync>;

/// How far time goes at once; frames wait for the next step.
const TICK: Duration = Duration::from_millis(20);
/// More than any link has under way, a storm included.
const TCP_CAPACITY: usize = 1 << 16;
/// Everything must be well this long after the last fault (I-15).
const RECOVERED_WITHIN: Duration = Duration::from_secs(60);
/// From there to the settling of the last command, with room for one more look at overdue ones.
const SETTLING: Duration = Duration::from_secs(15);

/// A run to be made: several brains on one store, agents of both kinds, and the faults of a seed.
#[derive(Clone)]
#[must_use]
pub struct TcpSim {
    pub(super) seed: u64,
    rust_agents: usize,
    stock_agents: usize,
    brains: usize,
    pub(super) fault_time: Duration,
    faults: Option<Vec<Fault>>,
    store: Option<Arc<dyn Store>>,
    transport: TransportFactory,
}

impl TcpSim {
    /// The run of this seed: two brains, three Rust agents and two stock agents, six minutes of faults.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rust_agents: 3,
            stock_agents: 2,
            brains: 2,
            fault_time: Duration::from_secs(360),
            faults: None,
            store: None,
            transport: Arc::new(|dialler| Arc::new(WsTransport::over(dialler))),
        }
    }

    /// With so many agents of each kind.
    pub const fn with_agents(mut self, rust: usize, stock: usize) -> Self {
        self.rust_agents = rust;
        self.stock_agents = stock;
        self
    }

    /// With so many brains, at least one.
    pub fn with_brains(mut self, brains: usize) -> Self {
        self.brains = brains.max(1);
        self
    }

    /// With faults for so long. Partitions come only when there is time to find out about dead links.
    pub const fn with_fault_time(mut self, fault_time: Duration) -> Self {
        self.fault_time = fault_time;
        self
    }

    /// With these faults instead of the seed's.
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.faults = Some(faults);
        self
    }

    /// With this empty store instead of the one in memory; its failpoints are then not used.
    pub fn with_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// With this transport in all agents instead of the WebSocket.
    pub fn with_transport(
        mut self,
        make: impl Fn(TurmoilDialler) -> Arc<dyn Transport> + Send + Sync + 'static,
    ) -> Self {
        self.transport = Arc::new(make);
        self
    }

    /// Runs it: faults, a minute to heal, then every check.
    ///
    /// # Errors
    /// When the run could not be made. What did not hold is in the report.
    pub fn run(self) -> Result<TcpReport, GlueError> {
        let mem = self.store.is_none().then(|| Arc::new(MemStore::new()));
        let store: Arc<dyn Store> = match (&self.store, &mem) {
            (Some(store), _) => Arc::clone(store),
            (None, Some(mem)) => Arc::<MemStore>::clone(mem),
            (None, None) => return Err("there is no store".into()),
        };
        let shared = Shared {
            seed: self.seed,
            clock: Arc::new(SimClock::default()),
            kit: BrainKit::new(store),
            fault_time: self.fault_time,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let names: Vec<String> = (0..self.rust_agents)
            .map(|number| format!("rust-{number}"))
            .chain((0..self.stock_agents).map(|number| format!("stock-{number}")))
            .collect();
        let env = shared.env("setup", 0);
        let minted = runtime.block_on(shared.kit.set_up(env.clone(), &names))?;
        let project = minted.first().ok_or("there are no agents")?.project;
        let ledger = Ledger::new(env, project);
        let brains: Arc<[String]> = (0..self.brains)
            .map(|number| format!("brain-{number}"))
            .collect();
        let agents = self.agents(minted, &brains, &shared, &ledger);
        let sim = self.network(&brains, &agents, &shared);
        let mut chance = Chance::for_purpose(self.seed, "faults");
        let faults = self.faults.clone().unwrap_or_else(|| {
            faults::draw(&mut chance, agents.len(), self.brains, self.fault_time)
        });
        let stage = Stage::new(runtime, shared, ledger, brains, agents, mem, faults);
        self.play(sim, stage)
    }

    fn agents(
        &self,
        minted: Vec<Minted>,
        brains: &Arc<[String]>,
        shared: &Shared,
        ledger: &Ledger,
    ) -> Vec<AgentHost> {
        let make = |(place, minted): (usize, Minted)| {
            let kind = if place < self.rust_agents {
                Kind::Rust(Arc::default())
            } else {
                Kind::Stock(crate::glue::StockDisk::default())
            };
            AgentHost::new(
                minted,
                kind,
                TurmoilDialler::new(Arc::clone(brains), place),
                shared.clone(),
                ledger.clone(),
                Arc::clone(&self.transport),
            )
        };
        minted.into_iter().enumerate().map(make).collect()
    }

    fn network(&self, brains: &[String], agents: &[AgentHost], shared: &Shared) -> Sim<'static> {
        let mut sim = turmoil::Builder::new()
            .rng_seed(self.seed)
            .tick_duration(TICK)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(120))
            .tcp_capacity(TCP_CAPACITY)
            .simulation_duration(Duration::from_secs(3_600))
            .build();
        for name in brains {
            let host = BrainHost::new(name.clone(), shared.clone());
            sim.host(name.as_str(), move || host.clone().run());
        }
        for agent in agents {
            let host = agent.clone();
            sim.host(agent.minted.name.as_str(), move || host.clone().run());
        }
        sim
    }

    fn play(&self, mut sim: Sim<'static>, mut stage: Stage) -> Result<TcpReport, GlueError> {
        let recovered_at = self.fault_time + RECOVERED_WITHIN;
        let ends_at = recovered_at + SETTLING;
        let mut is_recovered = false;
        while sim.elapsed() < ends_at {
            let now = sim.elapsed();
            stage.act(&mut sim, now)?;
            if now >= recovered_at && !is_recovered {
                is_recovered = true;
                stage.check_recovered()?;
            }
            sim.step().map_err(|error| error.to_string())?;
        }
        stage.check_all()?;
        let virtual_time = sim.elapsed();
        // Machines go before what they share, so that their last words find it.
        drop(sim);
        Ok(stage.into_report(self.seed, virtual_time))
    }
}

impl fmt::Debug for TcpSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSim")
            .field("seed", &self.seed)
            .field("fault_time", &self.fault_time)
            .finish_non_exhaustive()
    }
}
