//! A durable PostgreSQL, brains on it, and agents that know them.

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

/// A run that is not over by then hangs.
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
}

impl World {
    /// A durable server and the ports of this many brains.
    pub(crate) async fn new(brains: usize) -> Self {
        let cluster = Cluster::durable().await;
        Self {
            database: cluster.database().await,
            cluster,
            folder: tempfile::tempdir().unwrap(),
            ports: (0..brains).map(|_| free_port()).collect(),
        }
    }

    /// Starts one of the brains. All have the same secrets, as a deployment has.
    pub(crate) fn start(&self, brain: usize) -> Brain {
        Brain::start_with(self.command(brain), self.ports[brain])
    }

    fn data(&self, brain: usize) -> PathBuf {
        self.folder.path().join(format!("brain-{brain}"))
    }

    fn command(&self, brain: usize) -> Command {
        let mut command = z4j(&self.data(brain));
        for name in ["SECRET", "SESSION_SECRET", "AUDIT_CHAIN_SECRET"] {
            command.env(
                format!("Z4J_{name}"),
                format!("{name} of the fault tests, long enough"),
            );
        }
        command
            .env("Z4J_DATABASE_URL", self.database.url())
            .env("Z4J_BOOTSTRAP_ADMIN_EMAIL", EMAIL)
            .env("Z4J_BOOTSTRAP_ADMIN_PASSWORD", PASSWORD)
            .env("Z4J_LOG", "warn");
        command
    }

    /// A credential, made by the operator's command; one configuration for each brain.
    pub(crate) fn mint(&self, name: &str) -> Vec<FakeAgentConfig> {
        let output = self
            .command(0)
            .args(["agent", "mint", "--project", "default", "--json", "--name"])
            .arg(name)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let minted: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |member: &str| minted[member].as_str().unwrap();
        let config = |port: &u16| {
            let url = format!("http://127.0.0.1:{port}");
            let config = FakeAgentConfig::new(&url, text("token"), text("hmac_secret"));
            config.unwrap().with_worker_id(name)
        };
        self.ports.iter().map(config).collect()
    }

    /// Sets a fleet to work: half of it dials the first brain first, the other half the second.
    pub(crate) fn fleet(&self, agents: usize, tasks: usize) -> Fleet {
        let plans: Vec<Plan> = (0..agents)
            .map(|index| {
                let mut configs = self.mint(&format!("agent-{index}"));
                let brains = configs.len();
                configs.rotate_left(index % brains);
                Plan::new(index, tasks, configs)
            })
            .collect();
        let acked = Arc::new(AtomicUsize::new(0));
        Fleet {
            expected: plans.iter().flat_map(Plan::expected).collect(),
            frames: plans.iter().map(Plan::frames).sum(),
            streams: plans
                .into_iter()
                .map(|plan| tokio::spawn(fleet::stream(plan, Arc::clone(&acked))))
                .collect(),
            acked,
        }
    }
}

/// Agents at work.
pub(crate) struct Fleet {
    expected: Vec<Expected>,
    frames: usize,
    streams: Vec<JoinHandle<()>>,
    acked: Arc<AtomicUsize>,
}

impl Fleet {
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
        let reached = async {
            while self.acked() < self.frames * part / of {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let reached = tokio::time::timeout(END_WAIT, reached).await;
        let (acked, frames) = (self.acked(), self.frames);
        reached.unwrap_or_else(|_| {
            panic!("{acked} of {frames} frames are acknowledged and no more come")
        });
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
