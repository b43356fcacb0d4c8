//! A release brain as a child process, and what it costs.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The first admin of every brain that a bench starts.
pub(crate) const ADMIN_EMAIL: &str = "bench@example.org";
/// That admin's password; the brain lives on loopback and for one run.
pub(crate) const ADMIN_PASSWORD: &str = "a-long-password-for-one-bench-run";

/// A running brain. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct BrainProcess {
    child: Child,
    /// Its base URL.
    pub(crate) url: String,
}

/// What a process used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time in seconds.
    pub(crate) cpu_seconds: f64,
    /// Resident memory in KiB.
    pub(crate) rss_kib: u64,
}

impl BrainProcess {
    /// Starts `binary` on `data_dir` and waits until it is ready. Answers how long that took.
    pub(crate) fn start(binary: &Path, data_dir: &Path) -> anyhow::Result<(Self, Duration)> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let began = Instant::now();
        let child = Command::new(binary)
            .args([
                "serve",
                "--bind",
                &format!("127.0.0.1:{port}"),
                "--data-dir",
            ])
            .arg(data_dir)
            .env("Z4J_BOOTSTRAP_ADMIN_EMAIL", ADMIN_EMAIL)
            .env("Z4J_BOOTSTRAP_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("Z4J_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("{} could not be started", binary.display()))?;
        let mut brain = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        };
        let took = brain.wait_ready(port, began)?;
        Ok((brain, took))
    }

    fn wait_ready(&mut self, port: u16, began: Instant) -> anyhow::Result<Duration> {
        loop {
            if ready(port) {
                return Ok(began.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the brain ended with {status} before it was ready");
            }
            if began.elapsed() > Duration::from_secs(30) {
                bail!("the brain was not ready within 30 s");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        usage_of(self.child.id())
    }
}

impl Drop for BrainProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process used so far, from the kernel's tables.
pub(crate) fn usage_of(pid: u32) -> anyhow::Result<Usage> {
    const TICKS_PER_SECOND: f64 = 100.0;
    const PAGE_KIB: u64 = 4;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let number = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    let ticks = number(11).context("no user time")? + number(12).context("no system time")?;
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: u64 = statm
        .split_whitespace()
        .nth(1)
        .context("no resident pages")?
        .parse()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "ticks of a bench run are far below 2^52"
    )]
    let cpu_seconds = ticks as f64 / TICKS_PER_SECOND;
    Ok(Usage {
        cpu_seconds,
        rss_kib: pages * PAGE_KIB,
    })
}

/// One plain HTTP request: no client library may blur a start-up time of milliseconds.
fn ready(port: u16) -> bool {
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

/// The release binary: built now unless a path was given.
pub(crate) fn release_binary(given: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        return Ok(path);
    }
    let status = Command::new("cargo")
        .args(["build", "--release", "--package", "z4j"])
        .status()
        .context("cargo is needed to build the release binary")?;
    if !status.success() {
        bail!("the release binary could not be built");
    }
    let own = std::env::current_exe()?;
    let dir = own.parent().context("the bench has no folder")?;
    Ok(dir.join("z4j"))
}
