//! A PostgreSQL server that a run starts for itself.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use z4j_core::env::Env;
use z4j_core::keys::to_hex;

/// Full durability as it comes; memory and log size as the baseline of `performance.md` had them.
const SETTINGS: [&str; 5] = [
    "shared_buffers=1GB",
    "max_wal_size=8GB",
    "max_connections=100",
    "listen_addresses=127.0.0.1",
    "logging_collector=off",
];
const START_WAIT: Duration = Duration::from_secs(60);
const STOP_WAIT: Duration = Duration::from_secs(30);

/// A server that was started here. Dropped, it stops.
#[derive(Debug)]
pub(crate) struct OwnServer {
    pub(crate) child: Child,
    pub(crate) config: Config,
    _folder: Option<tempfile::TempDir>,
}

impl OwnServer {
    /// Starts a server in `dir`, which keeps its data, or in a temporary folder.
    pub(crate) fn start(dir: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match dir {
            Some(_) => None,
            None => Some(tempfile::tempdir()?),
        };
        let root = dir.map_or_else(
            || folder.as_ref().unwrap().path().to_path_buf(),
            Path::to_path_buf,
        );
        let user = server_user()?;
        make_folder(&root, user)?;
        let data = root.join("data");
        let secret = root.join("password");
        if !data.join("PG_VERSION").exists() {
            initialise(&data, &secret, user)?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = as_user("postgres", user);
        server.arg("-D").arg(&data).arg("-k").arg(&root);
        server.args(["-p", &port.to_string()]);
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        let log = fs::File::create(root.join("log"))?;
        let child = server
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the PostgreSQL server could not be started")?;
        let mut config = Config::new();
        config.host("127.0.0.1").port(port).user("z4j");
        config.dbname("postgres");
        config.password(fs::read_to_string(&secret)?.trim());
        let mut server = Self {
            child,
            config,
            _folder: folder,
        };
        server.wait_ready(port, &root)?;
        Ok(server)
    }

    fn wait_ready(&mut self, port: u16, root: &Path) -> anyhow::Result<()> {
        let began = Instant::now();
        let status = root.join("data/postmaster.pid");
        loop {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let is_ready = text
                .lines()
                .nth(7)
                .is_some_and(|line| line.starts_with("ready"));
            if is_ready && text.lines().nth(3) == Some(&port.to_string()) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(root.join("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it wrote no log");
                bail!("the PostgreSQL server ended with {status}: {last}");
            }
            ensure!(
                began.elapsed() < START_WAIT,
                "the PostgreSQL server was not ready within a minute"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // In order and without waiting for clients, so that kept data need no recovery.
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let began = Instant::now();
        while began.elapsed() < STOP_WAIT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn initialise(data: &Path, secret: &Path, user: Option<(u32, u32)>) -> anyhow::Result<()> {
    let password = SecretString::from(to_hex(&Env::system().secret_bytes::<16>()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(secret)?;
    std::io::Write::write_all(&mut file, password.expose_secret().as_bytes())?;
    if let Some((uid, gid)) = user {
        chown(secret, Some(uid), Some(gid))?;
    }
    let output = as_user("initdb", user)
        .args(["--encoding=UTF8", "--no-locale", "--username=z4j"])
        .args(["--auth=scram-sha-256", "--pwfile"])
        .arg(secret)
        .arg("-D")
        .arg(data)
        .output()
        .context("initdb is not there: install PostgreSQL or give --database-url")?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "initdb failed: {}",
        words.lines().next().unwrap_or("it said nothing")
    );
    Ok(())
}

fn make_folder(root: &Path, user: Option<(u32, u32)>) -> anyhow::Result<()> {
    let above: PathBuf = root.parent().context("no folder")?.to_path_buf();
    // As the umask says: another user may have to pass through.
    fs::create_dir_all(&above)?;
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true).mode(0o700).create(root)?;
    if let Some((uid, gid)) = user {
        chown(root, Some(uid), Some(gid))?;
        let is_open = fs::metadata(&above).is_ok_and(|meta| {
            std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o001 != 0
        });
        ensure!(
            is_open,
            "PostgreSQL does not run as root, and its user cannot enter {}: name a folder that others can enter",
            above.display()
        );
    }
    Ok(())
}

/// The user to run the server as: ourselves, or as root the one that packages make for it, else nobody.
fn server_user() -> anyhow::Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").context("the users of this machine")?;
    let ids = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = ids("postgres").or_else(|| ids("nobody"));
    Ok(Some(
        found.context("there is no user to run PostgreSQL as")?,
    ))
}

fn as_user(program: &str, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid).current_dir("/");
    }
    command
}
