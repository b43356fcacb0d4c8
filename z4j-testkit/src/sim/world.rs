//! A run from its beginning to its audit.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio::time::Instant;
use z4j_core::audit::{Actor, AuditDraft, AuditKey, ChainId};
use z4j_core::id::{AuditId, ProjectId};
use z4j_core::keys::{MasterSecret, Purpose};
use z4j_core::store::{AuditWrite, CreateProject, Store};

use super::brain::{self, Brains};
use super::clock::{BEGINNING, SimClock};
use super::dashboard::Dashboards;
use super::driver::Driver;
use super::fleet::{Fleet, Slot};
use super::network::Network;
use super::oracle::Oracle;
use super::people::People;
use super::plan::Plan;
use super::record::Record;
use super::stock::Disk;
use super::store::{FaultHooks, HookedStore, StoreWeather};
use super::workload::Workload;
use super::{AgentBug, Chance, DashboardBug, Outcome, Picture, StoreWrap};
use crate::invariant;
use crate::mem::MemStore;

type Making = Pin<Box<dyn Future<Output = Arc<dyn Store>> + Send>>;
type MakeStore = Arc<dyn Fn() -> Making + Send + Sync>;
/// Whatever stops a run before it began.
type SetupError = Box<dyn std::error::Error + Send + Sync>;

/// After all is settled, agents declare their losses within two status intervals (I-10).
const DECLARE_WAIT: Duration = Duration::from_secs(2 * brain::HEARTBEAT_SECONDS + 3);

/// What a run is made of.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) wrap: Option<StoreWrap>,
    make_store: MakeStore,
    bug: Option<AgentBug>,
    dashboard_bug: Option<DashboardBug>,
    has_jitter: bool,
}

/// A simulated world that is ready to run.
#[derive(Clone)]
#[must_use = "a world does nothing until it is run"]
pub struct World {
    settings: Settings,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.settings.seed)
            .finish_non_exhaustive()
    }
}

impl World {
    /// The world of this seed, on the reference store.
    pub fn new(seed: u64) -> Self {
        let make_store: MakeStore = Arc::new(|| {
            Box::pin(async {
                let store: Arc<dyn Store> = Arc::new(MemStore::new());
                store
            })
        });
        Self {
            settings: Settings {
                seed,
                wrap: None,
                make_store,
                bug: None,
                dashboard_bug: None,
                has_jitter: true,
            },
        }
    }

    /// On an empty store that `make` makes.
    ///
    /// The store runs in virtual time: it must not wait for anything outside the process.
    pub fn with_store<F>(mut self, make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Arc<dyn Store>> + Send + 'static,
    {
        self.settings.make_store = Arc::new(move || Box::pin(make()));
        self
    }

    /// Puts something around the store as one run of a brain sees it. What it holds dies with that brain.
    pub fn wrapping_store(
        mut self,
        wrap: impl Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync + 'static,
    ) -> Self {
        self.settings.wrap = Some(Arc::new(wrap));
        self
    }

    /// The published agents make this mistake.
    pub const fn with_agent_bug(mut self, bug: AgentBug) -> Self {
        self.settings.bug = Some(bug);
        self
    }

    /// Dashboards make this mistake.
    pub const fn with_dashboard_bug(mut self, bug: DashboardBug) -> Self {
        self.settings.dashboard_bug = Some(bug);
        self
    }

    /// Rust agents have no chance in their delays.
    pub const fn without_jitter(mut self) -> Self {
        self.settings.has_jitter = false;
        self
    }

    /// Runs the world to its end, in virtual time, on this thread.
    ///
    /// # Panics
    /// When the thread is inside an async runtime, or none can be made.
    #[expect(
        clippy::expect_used,
        reason = "a test tool: without a runtime there is nothing to test"
    )]
    pub fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime of one thread");
        runtime.block_on(Box::pin(simulate(self.settings)))
    }
}

async fn simulate(settings: Settings) -> Outcome {
    let seed = settings.seed;
    let record = Record::new(Instant::now());
    let run = Box::pin(Run::set_up(settings, record.clone())).await;
    match run {
        Ok(run) => Box::pin(run.finish()).await,
        Err(error) => record.violate("recovers", format!("the world cannot be set up: {error}")),
    }
    Outcome::new(seed, record.elapsed(), record.take())
}

/// Everything of a run.
struct Run {
    seed: u64,
    /// Without faults.
    store: Arc<dyn Store>,
    /// With faults.
    faulty: Arc<dyn Store>,
    projects: Vec<ProjectId>,
    dashboards: Dashboards,
    driver: Driver,
}

impl Run {
    async fn set_up(settings: Settings, record: Record) -> Result<Self, SetupError> {
        let seed = settings.seed;
        let plan = Plan::new(seed);
        let oracle = Arc::new(Oracle::new(record.clone()));
        let network = Network::new(seed, record.clone(), Arc::clone(&oracle));
        let weather = StoreWeather::new(Chance::new(seed, "store"));
        let store = (settings.make_store)().await;
        let hooks = FaultHooks::new(weather.clone(), Arc::clone(&oracle));
        let faulty: Arc<dyn Store> = Arc::new(HookedStore::new(Arc::clone(&store), hooks));
        let brains = Brains::new(
            &settings,
            network.clone(),
            Arc::clone(&oracle),
            Arc::clone(&faulty),
        );
        for no in &plan.brains {
            brains.add(*no, SimClock::new(record.begin()));
        }
        let habits = (settings.bug, settings.has_jitter);
        let fleet = Fleet::new(seed, network.clone(), Arc::clone(&oracle), habits);
        let projects = found(&*store, &plan, seed).await?;
        deploy(&store, &plan, &fleet, &projects, (seed, record.begin())).await?;
        for no in brains.all() {
            brains.start(no)?;
        }
        for slot in fleet.slots() {
            fleet.start(slot.no)?;
        }
        let brains = Arc::new(brains);
        let bug = settings.dashboard_bug;
        let dashboards = Dashboards::open((seed, bug), &brains, &record, &projects);
        Ok(Self {
            seed,
            dashboards,
            store,
            faulty,
            projects,
            driver: Driver {
                plan,
                network,
                brains,
                fleet: Arc::new(fleet),
                oracle,
                store: weather,
                in_force: std::collections::BTreeSet::new(),
                is_excused: false,
            },
        })
    }

    async fn finish(mut self) {
        let mut life = JoinSet::new();
        let fleet = Arc::clone(&self.driver.fleet);
        life.spawn(Workload::new(Arc::clone(&fleet), self.seed).run());
        let people = People {
            fleet: Arc::clone(&fleet),
            brains: Arc::clone(&self.driver.brains),
            oracle: Arc::clone(&self.driver.oracle),
            store: Arc::clone(&self.faulty),
            key: audit_key(),
            seed: self.seed,
        };
        life.spawn(people.run());
        self.driver.chaos().await;
        life.shutdown().await;
        self.driver.heal();
        self.dashboards.calm();
        self.driver.settle().await;
        tokio::time::sleep(DECLARE_WAIT).await;
        self.driver.check_ready().await;
        self.audit().await;
    }

    async fn audit(self) {
        let driver = &self.driver;
        let record = driver.oracle.record().clone();
        driver.fleet.note_declared();
        let mut audit = Picture::new(driver.network.whole_links(), &driver.fleet.slots());
        audit.dashboards = self.dashboards.close().await;
        for brain in driver.brains.all() {
            driver.brains.stop(brain).await;
        }
        for slot in driver.fleet.slots() {
            driver.fleet.kill(slot.no, true);
        }
        if let Err(error) = audit
            .read(&*self.store, &self.projects, &driver.oracle.streams())
            .await
        {
            return record.violate("recovers", format!("the store cannot be audited: {error}"));
        }
        let broken = driver
            .oracle
            .look(|facts| invariant::check_all(&audit, facts));
        for (slug, detail) in broken {
            record.violate(slug, detail);
        }
        audit.trace(&record);
    }
}

/// Seals what the simulated people do; the same key as the brains'.
fn audit_key() -> Arc<AuditKey> {
    let secret = brain::secrets().audit;
    let bytes = secret.expose_secret().as_bytes().to_vec();
    let mut key = [0; 32];
    let mut id = String::new();
    if let Ok(secret) = MasterSecret::new(bytes) {
        id = secret.key_id();
        for (to, from) in key.iter_mut().zip(secret.derive(Purpose::Audit).expose()) {
            *to = *from;
        }
    }
    Arc::new(AuditKey::new(id, key))
}

/// Makes the projects.
async fn found(store: &dyn Store, plan: &Plan, seed: u64) -> Result<Vec<ProjectId>, SetupError> {
    let mut chance = Chance::new(seed, "projects");
    let mut projects = Vec::new();
    for number in 0..plan.projects {
        let id = ProjectId::from_u128(u128::from(chance.next()) << 64 | u128::from(chance.next()));
        let draft = AuditDraft::new(BEGINNING, Actor::System, "project.create");
        let create = CreateProject {
            id,
            slug: format!("project-{number}"),
            name: format!("Project {number}"),
            at: BEGINNING,
            audit: AuditWrite {
                id: AuditId::from_u128(u128::from(chance.next())),
                chain: ChainId::Instance,
                draft,
                key: audit_key(),
            },
        };
        let _ = store.create_project(create).await?;
        projects.push(id);
    }
    Ok(projects)
}

/// Mints the agents and adds the slots that run them.
async fn deploy(
    store: &Arc<dyn Store>,
    plan: &Plan,
    fleet: &Fleet,
    projects: &[ProjectId],
    (seed, begin): (u64, Instant),
) -> Result<(), SetupError> {
    let clock = SimClock::new(begin);
    let operator = brain::build(Arc::clone(store), &clock, seed, "operator")?.operator();
    let mut minted = Vec::new();
    for (number, project) in plan.agents.iter().enumerate() {
        let slug = format!("project-{project}");
        let name = format!("agent-{number}");
        minted.push(operator.mint_agent(&slug, &name).await?);
    }
    for slot in &plan.slots {
        let number = usize::try_from(slot.agent)?;
        let credentials = minted.get(number).ok_or("a slot without an agent")?;
        if !projects.contains(&credentials.project_id) {
            return Err("an agent of another project".into());
        }
        fleet.add(Slot {
            no: slot.no,
            kind: slot.kind,
            agent: credentials.agent_id,
            project: credentials.project_id,
            token: credentials.token.expose_secret().to_owned(),
            hmac_secret: credentials.hmac_secret.expose_secret().to_owned(),
            worker: format!("celery@box-{}", slot.no.0),
            entries_max: slot.entries_max,
            clock: SimClock::new(begin),
            disk: Disk::new(format!("buffer-{}", slot.no.0), slot.entries_max),
            home: slot.home,
        });
    }
    Ok(())
}
