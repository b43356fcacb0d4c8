//! One temporary cluster for all test processes of a run. It does not sync: a test that cuts the power has its own.
//!
//! The cluster lives in a folder that follows from the server's programs. Each process holds a shared lock on `use.lock` for
//! as long as it lives; `start.lock` lets one process at a time start the server. A watchdog waits for the lock that only
//! nobody's use gives it, and then stops the server and removes its files.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::programs::{Programs, make_folder, server_user};
use super::{ServerMissing, admin};
use crate::ports::free_port;

/// How often another port is tried.
const STARTS_MAX: u32 = 3;
/// How often a server that starts is looked at, and how long the pause between is.
const LISTEN_LOOKS_MAX: u32 = 1_000;
const LISTEN_PAUSE: Duration = Duration::from_millis(20);

/// Stops the server once nobody uses it. Arguments: folder, then the command that runs the server.
const WATCHDOG: &str = r#"
base=$1; shift
exec 8>>"$base/start.lock" 9>>"$base/use.lock"
"$@" >>"$base/server.log" 2>&1 8>&- 9>&- &
server=$!
echo "$server" >"$base/server.pid"
while kill -0 "$server" 2>/dev/null; do
  flock -x 9 && flock -u 9
  sleep 5
  flock -x 8
  if flock -n -x 9; then
    if [ "$(cat "$base/server.pid")" = "$server" ]; then
      rm -f "$base/port"
      kill -INT "$server"; wait "$server"
      rm -rf "$base/data"
    fi
    exit 0
  fi
  flock -u 8
done
"#;

/// A server that does not sync is quick and loses everything with the machine; its files are removed anyway.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=400",
    "shared_buffers=128MB",
    "max_wal_size=4GB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "timezone=UTC",
];

/// The URL of the server's maintenance database.
pub(super) async fn url() -> Result<&'static str, ServerMissing> {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_try_init(start_or_join).await.map(String::as_str)
}

async fn start_or_join() -> Result<String, ServerMissing> {
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(missing) => return elsewhere(missing).await,
    };
    let joining = tokio::task::spawn_blocking(move || Joined::join(&programs));
    let joined = joining.await.expect("the fixture does not panic")?;
    let url = format!(
        "postgres://z4j@127.0.0.1:{}/postgres?sslmode=disable",
        joined.port
    );
    admin::wait_until_ready(&url).await?;
    // The shared lock is held to the end of the process; the kernel gives it back.
    std::mem::forget(joined.in_use);
    Ok(url)
}

/// A server that is not a program of this machine. A folder that was named and is wrong is a mistake, and said as one.
#[cfg(feature = "containers")]
async fn elsewhere(missing: ServerMissing) -> Result<String, ServerMissing> {
    if super::programs::variable("Z4J_TEST_PG_BIN").is_some() {
        return Err(missing);
    }
    super::container::url(missing).await
}

#[cfg(not(feature = "containers"))]
async fn elsewhere(missing: ServerMissing) -> Result<String, ServerMissing> {
    Err(missing)
}

struct Joined {
    port: u16,
    in_use: File,
}

impl Joined {
    fn join(programs: &Programs) -> Result<Self, ServerMissing> {
        let base = folder(&programs.folder)?;
        let starting = lock_file(&base.join("start.lock"))?;
        starting.lock().map_err(unlockable)?;
        let in_use = lock_file(&base.join("use.lock"))?;
        in_use.lock_shared().map_err(unlockable)?;
        let port = match running_port(&base) {
            Some(port) => port,
            None => start_and_wait(programs, &base)?,
        };
        Ok(Self { port, in_use })
    }
}

pub(super) fn lock_file(path: &Path) -> Result<File, ServerMissing> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| ServerMissing::new(format!("cannot open {}: {error}", path.display())))
}

pub(super) fn unlockable(error: std::io::Error) -> ServerMissing {
    ServerMissing::new(format!(
        "cannot lock the folder of the test server: {error}"
    ))
}

/// The folder of the cluster, ours alone to write to.
fn folder(programs: &Path) -> Result<PathBuf, ServerMissing> {
    let temporary = std::env::temp_dir();
    let own = tempfile::tempdir_in(&temporary)
        .and_then(|probe| probe.path().metadata())
        .map_err(|error| {
            ServerMissing::new(format!("cannot use {}: {error}", temporary.display()))
        })?
        .uid();
    let mut hasher = DefaultHasher::new();
    (programs, SETTINGS, WATCHDOG).hash(&mut hasher);
    let base = temporary.join(format!("z4j-testkit-pg-{own}-{:016x}", hasher.finish()));
    match fs::create_dir(&base) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::symlink_metadata(&base),
    }
    .map_err(|error| ServerMissing::new(format!("cannot make {}: {error}", base.display())))
    .and_then(|found| {
        if found.is_dir() && found.uid() == own {
            Ok(base.clone())
        } else {
            Err(ServerMissing::new(format!(
                "{} belongs to somebody else: remove it",
                base.display()
            )))
        }
    })
}

fn running_port(base: &Path) -> Option<u16> {
    let port = fs::read_to_string(base.join("port"))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    Some(port)
}

/// Starts the server and waits until it listens. Under `start.lock`: whoever came meanwhile would take a server that does not
/// listen yet for one that is gone, and start another in its place.
fn start_and_wait(programs: &Programs, base: &Path) -> Result<u16, ServerMissing> {
    for _ in 0..STARTS_MAX {
        let port = start(programs, base)?;
        for _ in 0..LISTEN_LOOKS_MAX {
            if running_port(base).is_some() {
                return Ok(port);
            }
            std::thread::sleep(LISTEN_PAUSE);
        }
        // Somebody else may have taken the port between finding it and listening on it.
    }
    Err(ServerMissing::new(format!(
        "the test server does not come up: its log is {}",
        base.join("server.log").display()
    )))
}

fn start(programs: &Programs, base: &Path) -> Result<u16, ServerMissing> {
    let data = base.join("data");
    let _ = fs::remove_file(base.join("port"));
    // Left behind by a server that was killed.
    let _ = fs::remove_dir_all(&data);
    make_folder(&data)?;
    programs.init(&data)?;
    let port = free_port();
    let mut server: Vec<String> = Vec::new();
    if let Some(user) = server_user()? {
        server.extend(["setpriv", "--init-groups", "--pdeathsig=INT"].map(str::to_owned));
        server.push(format!("--reuid={user}"));
        server.push(format!("--regid={}", super::programs::group_of(&user)));
        server.push("--".to_owned());
    }
    server.push(programs.folder.join("postgres").display().to_string());
    server.extend(["-D".to_owned(), data.display().to_string()]);
    server.extend(["-p".to_owned(), port.to_string()]);
    for setting in SETTINGS {
        server.extend(["-c".to_owned(), (*setting).to_owned()]);
    }
    let mut watchdog = Command::new("sh");
    watchdog
        .args(["-c", WATCHDOG, "z4j-testkit-postgres"])
        .arg(base)
        .args(&server)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // It outlives the process that started it, and what ends that process's group does not end it.
        .process_group(0);
    watchdog
        .spawn()
        .map_err(|error| ServerMissing::new(format!("cannot start the test server: {error}")))?;
    fs::write(base.join("port"), port.to_string())
        .map_err(|error| ServerMissing::new(format!("cannot write the server's port: {error}")))?;
    Ok(port)
}
