//! A durable PostgreSQL, brains on it, and agents that know them.

use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use z4j_testkit::fake_agent::FakeAgentConfig;
use z4j_testkit::postgres::{Cluster, Database};

use crate::brain::{Brain, EMAIL, PASSWORD, free_port, z4j};
use crate::fleet::{self, Expected, Plan};

/// A fleet that is not acknowledged anything for this long stands still; what was under way has arrived by then.
const STILL: Duration = Duration::from_millis(700);
/// A run that does not come on for so long hangs.
const END_WAIT: Duration = Duration::from_secs(180);

/// How long faults go on.
pub(crate) fn fault_time(otherwise: Duration) -> Duration {
    let seconds = std::env::var("Z4J_SOAK_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    seconds.map_or(otherwise, Duration::from_secs)
}

/// The database and the folder of the brains.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) database: Database,
    folder: TempDir,
    /// The ports of the brains.
    pub(crate) ports: Vec<u16>,
    /// Where agents dial, one for each brain: the brain itself, unless something stands between.
    pub(crate) doors: Vec<u16>,
    /// Where brains find their database: on the server itself, unless something stands between.
    pub(crate) database_url: String,
}

impl World {
    /// A durable server and the ports of this many brains.
    pub(crate) async fn new(brains: usize) -> Self {
        Self::on(Cluster::durable().await, brains).await
    }

    /// The same on this server.
    pub(crate) async fn on(cluster: Cluster, brains: usize) -> Self {
        let database = cluster.database().await;
        let ports: Vec<u16> = (0..brains).map(|_| free_port()).collect();
        Self {
            database_url: database.url().to_owned(),
            database,
            cluster,
            folder: tempfile::tempdir().unwrap(),
            doors: ports.clone(),
            ports,
        }
    }

    /// Starts one of the brains. All have the same secrets, as a deployment has.
    pub(crate) fn start(&self, brain: usize) -> Brain {
        Brain::start_with(self.command(brain), self.ports[brain])
    }

    fn data(&self, brain: usize) -> PathBuf {
        self.folder.path().join(format!("brain-{brain}"))
    }

    /// How one of the brains is started.
    pub(crate) fn command(&self, brain: usize) -> Command {
        let mut command = z4j(&self.data(brain));
        for name in ["SECRET", "SESSION_SECRET", "AUDIT_CHAIN_SECRET"] {
            command.env(
                format!("Z4J_{name}"),
                format!("{name} of the fault tests, long enough"),
            );
        }
        command.env("Z4J_DATABASE_URL", &self.database_url);
        with_admin(command)
    }

    /// A credential, made by the operator's command; one configuration for each brain.
    pub(crate) fn mint(&self, name: &str) -> Vec<FakeAgentConfig> {
        mint(self.command(0), &self.doors, name)
    }

    /// Sets a fleet to work: half of it dials the first brain first, the other half the second.
    pub(crate) fn fleet(&self, agents: usize, tasks: usize) -> Fleet {
        self.fleet_of(0..agents, tasks)
    }

    /// The same with agents of these numbers: two fleets at work must not share any.
    pub(crate) fn fleet_of(&self, agents: Range<usize>, tasks: usize) -> Fleet {
        Fleet::start(agents, tasks, |name| self.mint(name))
    }
}

/// A brain's start with an admin, and without more log lines than a failure needs.
pub(crate) fn with_admin(mut command: Command) -> Command {
    command
        .env("Z4J_BOOTSTRAP_ADMIN_EMAIL", EMAIL)
        .env("Z4J_BOOTSTRAP_ADMIN_PASSWORD", PASSWORD)
        .env("Z4J_LOG", "warn");
    command
}

/// A credential, made by the operator's `command`, for a brain at each of these doors.
pub(crate) fn mint(mut command: Command, doors: &[u16], name: &str) -> Vec<FakeAgentConfig> {
    let output = command
        .args(["agent", "mint", "--project", "default", "--json", "--name"])
        .arg(name)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let minted: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |member: &str| minted[member].as_str().unwrap();
    let config = |door: &u16| {
        let url = format!("http://127.0.0.1:{door}");
        let config = FakeAgentConfig::new(&url, text("token"), text("hmac_secret"));
        config.unwrap().with_worker_id(name)
    };
    doors.iter().map(config).collect()
}

/// Agents at work.
pub(crate) struct Fleet {
    expected: Vec<Expected>,
    frames: usize,
    streams: Vec<JoinHandle<()>>,
    acked: Arc<AtomicUsize>,
}

impl Fleet {
    /// Sets agents of these numbers to work, each with so many tasks; `mint` makes what they dial with.
    pub(crate) fn start(
        agents: Range<usize>,
        tasks: usize,
        mint: impl Fn(&str) -> Vec<FakeAgentConfig>,
    ) -> Self {
        let plans: Vec<Plan> = agents
            .map(|index| {
                let mut configs = mint(&format!("agent-{index}"));
                let brains = configs.len();
                configs.rotate_left(index % brains);
                Plan::new(index, tasks, configs)
            })
            .collect();
        let acked = Arc::new(AtomicUsize::new(0));
        Self {
            expected: plans.iter().flat_map(Plan::expected).collect(),
            frames: plans.iter().map(Plan::frames).sum(),
            streams: plans
                .into_iter()
                .map(|plan| tokio::spawn(fleet::stream(plan, Arc::clone(&acked))))
                .collect(),
            acked,
        }
    }

    /// Frames that are acknowledged so far.
    pub(crate) fn acked(&self) -> usize {
        self.acked.load(Ordering::Acquire)
    }

    /// Whether every frame is acknowledged.
    pub(crate) fn is_done(&self) -> bool {
        self.acked() == self.frames
    }

    /// Waits until this share of all frames is acknowledged.
    pub(crate) async fn reach(&self, part: usize, of: usize) {
        let wanted = self.frames * part / of;
        while self.acked() < wanted {
            let before = self.acked();
            let comes_on = async {
                while self.acked() == before {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            let comes_on = tokio::time::timeout(END_WAIT, comes_on).await;
            comes_on.unwrap_or_else(|_| {
                let frames = self.frames;
                panic!("{before} of {frames} frames are acknowledged and no more come")
            });
        }
    }

    /// Waits until nothing is acknowledged any more; answers how many frames are.
    pub(crate) async fn stand_still(&self) -> usize {
        let stood = async {
            loop {
                let before = self.acked();
                tokio::time::sleep(STILL).await;
                if self.acked() == before {
                    return before;
                }
            }
        };
        let stood = tokio::time::timeout(END_WAIT, stood).await.unwrap();
        assert!(!self.is_done(), "there is work left");
        stood
    }

    /// Waits until every frame is acknowledged; answers what must be stored.
    pub(crate) async fn finish(self) -> Vec<Expected> {
        self.reach(1, 1).await;
        for stream in self.streams {
            stream.await.expect("no stream may panic");
        }
        self.expected
    }
}
