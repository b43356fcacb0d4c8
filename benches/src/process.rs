//! A brain as a child process.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret as _, SecretString};

use crate::client::Login;

/// The first admin of every brain that a bench starts.
const ADMIN_EMAIL: &str = "bench@example.org";
/// That admin's password; the brain lives on loopback and for one run.
const ADMIN_PASSWORD: &str = "a-long-password-for-one-bench-run";
const READY_WAIT: Duration = Duration::from_secs(60);

/// How our own brain is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The brain.
    pub(crate) binary: PathBuf,
    /// Its data folder.
    pub(crate) data_dir: PathBuf,
    /// Its database, when that is not the SQLite file in the folder.
    pub(crate) database_url: Option<SecretString>,
    /// Where it listens.
    pub(crate) port: u16,
}

/// A running brain. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct BrainProcess {
    child: Child,
}

impl Launch {
    /// A brain on a free port of the loopback address.
    pub(crate) fn new(
        binary: &Path,
        data_dir: &Path,
        database_url: Option<SecretString>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            binary: binary.to_path_buf(),
            data_dir: data_dir.to_path_buf(),
            database_url,
            port: TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
        })
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How to sign in to it.
    pub(crate) fn login() -> Login {
        Login {
            email: ADMIN_EMAIL.to_owned(),
            password: SecretString::from(ADMIN_PASSWORD),
            project: "default".to_owned(),
        }
    }

    /// Starts it and waits until it is ready. Answers how long that took.
    pub(crate) fn start(&self) -> anyhow::Result<(BrainProcess, Duration)> {
        let mut command = self.command();
        command.args(["serve", "--bind", &format!("127.0.0.1:{}", self.port)]);
        let began = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("{} could not be started", self.binary.display()))?;
        let mut brain = BrainProcess { child };
        let took = brain.wait_ready(self.port, began)?;
        Ok((brain, took))
    }

    /// Brings the database to the binary's schema.
    pub(crate) fn migrate(&self) -> anyhow::Result<()> {
        let status = self.command().arg("migrate").status();
        let status =
            status.with_context(|| format!("{} could not be started", self.binary.display()))?;
        if !status.success() {
            bail!("the brain could not bring the database to its schema");
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg("--data-dir")
            .arg(&self.data_dir)
            .env("Z4J_BOOTSTRAP_ADMIN_EMAIL", ADMIN_EMAIL)
            .env("Z4J_BOOTSTRAP_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("Z4J_LOG", "error")
            .env_remove("Z4J_DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(url) = &self.database_url {
            // Not as a flag: everybody on the machine can read those.
            command.env("Z4J_DATABASE_URL", url.expose_secret());
        }
        command
    }
}

impl BrainProcess {
    fn wait_ready(&mut self, port: u16, began: Instant) -> anyhow::Result<Duration> {
        loop {
            if is_ready(port) {
                return Ok(began.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the brain ended with {status} before it was ready");
            }
            if began.elapsed() > READY_WAIT {
                bail!("the brain was not ready within a minute");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for BrainProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One plain HTTP request: no client library may blur a start-up time of milliseconds.
fn is_ready(port: u16) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let request = format!(
        "GET /health/ready HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n"
    );
    let mut answer = [0; 12];
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b" 200")
}

/// The release binary: the one that was given, the one beside this program, or one that is built now.
pub(crate) fn release_binary(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path.to_path_buf());
    }
    let own = std::env::current_exe()?;
    let dir = own.parent().context("the bench has no folder")?;
    let beside = dir.join("z4j");
    if beside.exists() {
        return Ok(beside);
    }
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "z4j"])
        .status()
        .context("cargo is needed to build the release binary: give its path with --binary")?;
    if !status.success() {
        bail!("the release binary could not be built");
    }
    Ok(beside)
}
