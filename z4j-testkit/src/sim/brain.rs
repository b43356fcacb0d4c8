//! Simulated brains: started, stopped in order, crashed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use z4j_brain::config::{BrainConfig, BrainSecrets};
use z4j_brain::{Brain, BrainError};
use z4j_core::store::Store;

use super::clock::{self, SimClock};
use super::dashboard;
use super::network::{BrainNo, Door, Network};
use super::oracle::Oracle;
use super::world::Settings;
use super::{Situation, StoreWrap};

/// Seconds between heartbeats of simulated agents.
pub(crate) const HEARTBEAT_SECONDS: u64 = 10;

/// The secrets that all brains of a simulation share.
pub(crate) fn secrets() -> BrainSecrets {
    let secret = |name: &str| SecretString::from(format!("{name} secret of a simulated brain"));
    BrainSecrets {
        master: secret("master, which derives every project's key,"),
        session: secret("session, which signs cursors and cookies,"),
        audit: secret("audit, which seals the chain of entries,"),
    }
}

/// One run of a brain's process.
struct Running {
    brain: Brain,
    tasks: Arc<Mutex<JoinSet<()>>>,
    run: JoinSet<Result<(), BrainError>>,
    stop: CancellationToken,
    page: Page,
}

/// What a brain serves to browsers.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) router: Router,
    /// Cancelled when the process has ended, and with it every connection.
    pub(crate) gone: CancellationToken,
}

/// A machine that runs a brain.
struct Machine {
    clock: Arc<SimClock>,
    running: Option<Running>,
    incarnation: u32,
}

/// All brains.
pub(crate) struct Brains {
    network: Network,
    oracle: Arc<Oracle>,
    /// With faults.
    store: Arc<dyn Store>,
    wrap: Option<StoreWrap>,
    seed: u64,
    machines: Mutex<BTreeMap<BrainNo, Machine>>,
}

impl std::fmt::Debug for Brains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Brains").finish_non_exhaustive()
    }
}

impl Brains {
    pub(crate) fn new(
        settings: &Settings,
        network: Network,
        oracle: Arc<Oracle>,
        store: Arc<dyn Store>,
    ) -> Self {
        Self {
            network,
            oracle,
            store,
            wrap: settings.wrap.clone(),
            seed: settings.seed,
            machines: Mutex::default(),
        }
    }

    /// Adds a machine, whose brain does not run yet.
    pub(crate) fn add(&self, no: BrainNo, clock: Arc<SimClock>) {
        let machine = Machine {
            clock,
            running: None,
            incarnation: 0,
        };
        self.lock().insert(no, machine);
    }

    /// Starts a brain, unless it runs.
    ///
    /// # Errors
    /// A brain that cannot be built.
    pub(crate) fn start(&self, no: BrainNo) -> Result<(), BrainError> {
        let mut machines = self.lock();
        let Some(machine) = machines.get_mut(&no) else {
            return Ok(());
        };
        if machine.running.is_some() {
            return Ok(());
        }
        machine.incarnation += 1;
        let name = format!("brain {} {}", no.0, machine.incarnation);
        let store = match &self.wrap {
            Some(wrap) => wrap(Arc::clone(&self.store)),
            None => Arc::clone(&self.store),
        };
        let brain = build(store, &machine.clock, self.seed, &name)?;
        let stop = CancellationToken::new();
        let mut run = JoinSet::new();
        run.spawn(brain.clone().run(stop.clone()));
        let tasks = Arc::default();
        let door = Door {
            brain: brain.clone(),
            tasks: Arc::clone(&tasks),
        };
        machine.running = Some(Running {
            page: Page {
                router: brain.router(),
                gone: CancellationToken::new(),
            },
            brain,
            tasks,
            run,
            stop,
        });
        drop(machines);
        self.oracle.record().note(format_args!("start {name}"));
        self.network.open(no, door);
        Ok(())
    }

    /// Ends a brain in the middle of whatever it does. `is_told`: its machine lives and resets its connections.
    pub(crate) fn crash(&self, no: BrainNo, is_told: bool) {
        let Some(running) = self.take(no) else {
            return;
        };
        self.oracle.record().note(format_args!("crash b{}", no.0));
        self.oracle.brain_died(no);
        self.network.brain_down(no, is_told);
        // Dropping the sets aborts all that runs in them.
        drop(running);
    }

    /// Stops a brain in order.
    pub(crate) async fn stop(&self, no: BrainNo) {
        let Some(mut running) = self.take(no) else {
            return;
        };
        let record = self.oracle.record();
        record.note(format_args!("stop b{}", no.0));
        record.meet(Situation::OrderlyStop);
        running.stop.cancel();
        while let Some(ended) = running.run.join_next().await {
            if let Ok(Err(error)) = ended {
                record.violate(
                    "recovers",
                    format!("brain {} ended by itself: {error}", no.0),
                );
            }
        }
        self.network.brain_down(no, true);
        record.note(format_args!("stopped b{}", no.0));
    }

    /// Brains that run.
    pub(crate) fn up(&self) -> Vec<BrainNo> {
        let machines = self.lock();
        let up = machines
            .iter()
            .filter(|(_, machine)| machine.running.is_some());
        up.map(|(no, _)| *no).collect()
    }

    /// All machines.
    pub(crate) fn all(&self) -> Vec<BrainNo> {
        self.lock().keys().copied().collect()
    }

    /// A running brain.
    pub(crate) fn brain(&self, no: BrainNo) -> Option<Brain> {
        let machines = self.lock();
        let running = machines.get(&no)?.running.as_ref()?;
        Some(running.brain.clone())
    }

    /// What a running brain serves to browsers.
    pub(crate) fn page(&self, no: BrainNo) -> Option<Page> {
        let machines = self.lock();
        Some(machines.get(&no)?.running.as_ref()?.page.clone())
    }

    /// Sets a machine's clock off by so many microseconds.
    pub(crate) fn set_ahead(&self, no: BrainNo, micros: i64) {
        if let Some(machine) = self.lock().get(&no) {
            machine.clock.set_ahead(micros);
        }
    }

    /// A machine's clock.
    pub(crate) fn clock(&self, no: BrainNo) -> Option<Arc<SimClock>> {
        Some(Arc::clone(&self.lock().get(&no)?.clock))
    }

    /// Notes brains whose run ended although nobody stopped them.
    pub(crate) fn check_alive(&self) {
        for (no, machine) in self.lock().iter_mut() {
            let ended = machine
                .running
                .as_mut()
                .and_then(|running| running.run.try_join_next());
            if let Some(ended) = ended {
                let detail = format!("brain {} ended by itself: {ended:?}", no.0);
                self.oracle.record().violate("recovers", detail);
            }
        }
    }

    fn take(&self, no: BrainNo) -> Option<Running> {
        self.lock().get_mut(&no)?.running.take()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BrainNo, Machine>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A brain over `store` with this clock and the stream of chance called `name`.
///
/// # Errors
/// A brain that cannot be built.
pub(crate) fn build(
    store: Arc<dyn Store>,
    clock: &Arc<SimClock>,
    seed: u64,
    name: &str,
) -> Result<Brain, BrainError> {
    let mut config = BrainConfig::default();
    config.agents.heartbeat_interval = std::time::Duration::from_secs(HEARTBEAT_SECONDS);
    Brain::builder(store, secrets(), dashboard::Door)
        .with_config(config)
        .with_env(clock::env(clock, seed, name))
        .build()
}

impl Drop for Running {
    fn drop(&mut self) {
        self.page.gone.cancel();
        // A set that other clones of the door hold must end too.
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }
}
