//! A PostgreSQL server for our own brain: the one of `DATABASE_URL`, or a temporary one from the local binaries.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};
use z4j_core::env::Env;
use z4j_core::keys::to_hex;

use crate::meter::parent_of;

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

/// A server.
#[derive(Debug)]
pub(crate) struct Server {
    admin: Config,
    /// Its first process, when it runs on this machine.
    pub(crate) pid: Option<u32>,
    _own: Option<OwnServer>,
}

/// A database of a server. Dropped, it is gone, unless it is kept.
#[derive(Debug)]
pub(crate) struct Database {
    /// The server it is in.
    pub(crate) server: Arc<Server>,
    name: String,
    is_kept: bool,
}

impl Server {
    /// The server of `url`, or a temporary one.
    pub(crate) async fn open(url: Option<&str>, dir: Option<&Path>) -> anyhow::Result<Arc<Self>> {
        let (admin, own) = match url {
            // The fault may quote the URL, and with it the password.
            Some(url) => (
                url.parse::<Config>()
                    .map_err(|_| anyhow::anyhow!("the database URL cannot be read"))?,
                None,
            ),
            None => {
                let own = OwnServer::start(dir)?;
                (own.config.clone(), Some(own))
            }
        };
        let client = connect(&admin).await?;
        let pid = match &own {
            Some(own) => Some(own.child.id()),
            None if is_local(&admin) => first_process(&client).await,
            None => None,
        };
        Ok(Arc::new(Self {
            admin,
            pid,
            _own: own,
        }))
    }

    /// Makes an empty database, or with `kept` takes the one of that name, made when it is absent.
    pub(crate) async fn database(self: &Arc<Self>, kept: Option<&str>) -> anyhow::Result<Database> {
        let fresh = || format!("z4j_bench_{}", to_hex(&Env::system().secret_bytes::<8>()));
        let name = kept.map_or_else(fresh, str::to_owned);
        let client = connect(&self.admin).await?;
        let there = client
            .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])
            .await?;
        if there.is_none() {
            client
                .batch_execute(&format!("CREATE DATABASE \"{name}\""))
                .await
                .context("the database server lets nobody make a database with this URL")?;
        }
        Ok(Database {
            server: Arc::clone(self),
            name,
            is_kept: kept.is_some(),
        })
    }
}

impl Database {
    /// Its URL.
    pub(crate) fn url(&self) -> SecretString {
        let admin = &self.server.admin;
        let port = admin.get_ports().first().copied().unwrap_or(5432);
        let host = match admin.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            _ => "127.0.0.1".to_owned(),
        };
        let user = admin.get_user().unwrap_or("postgres");
        let password = admin.get_password().unwrap_or_default();
        let mut who = percent_encoded(user.as_bytes());
        if !password.is_empty() {
            who = format!("{who}:{}", percent_encoded(password));
        }
        SecretString::from(format!("postgres://{who}@{host}:{port}/{}", self.name))
    }

    /// One statement that answers one number, such as a size.
    pub(crate) async fn number(&self, statement: &str) -> anyhow::Result<i64> {
        let mut config = self.server.admin.clone();
        config.dbname(&self.name);
        Ok(connect(&config)
            .await?
            .query_one(statement, &[])
            .await?
            .get(0))
    }

    /// Does at once what store and server do beside ingest in time: index the texts of new tasks, vacuum and analyse.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let mut config = self.server.admin.clone();
        config.dbname(&self.name);
        let client = connect(&config).await?;
        let waiting = client
            .query_one("SELECT to_regclass('task_texts_new') IS NOT NULL", &[])
            .await?;
        if waiting.get(0) {
            move_texts(&client).await?;
        }
        client.batch_execute("VACUUM (ANALYZE)").await?;
        // A user who may not checkpoint waits for the server's own.
        let _ = client.batch_execute("CHECKPOINT").await;
        Ok(())
    }
}

/// Moves all texts to where searches find them by index. The index is built anew, which for millions of rows is many times
/// faster than one row after another.
async fn move_texts(client: &Client) -> anyhow::Result<()> {
    const INDEX: &str = "SELECT indexdef FROM pg_indexes WHERE indexname = 'task_texts_by_trigram'";
    const MOVE: &str = "WITH moved AS (DELETE FROM task_texts_new RETURNING project_id, engine, task_id, text) \
        INSERT INTO task_texts (project_id, engine, task_id, text) SELECT project_id, engine, task_id, text FROM moved";
    let index: Option<String> = client
        .query_opt(INDEX, &[])
        .await?
        .map(|row| row.get("indexdef"));
    if index.is_some() {
        client
            .batch_execute("DROP INDEX task_texts_by_trigram")
            .await?;
    }
    client.batch_execute(MOVE).await?;
    if let Some(index) = index {
        client
            .batch_execute("SET maintenance_work_mem = '1GB'")
            .await?;
        client.batch_execute(&index).await?;
    }
    Ok(())
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (admin, name) = (self.server.admin.clone(), self.name.clone());
        // A thread, because this may run inside a runtime.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let statement = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
            runtime.block_on(async {
                connect(&admin).await?.batch_execute(&statement).await?;
                anyhow::Ok(())
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("the database {} could not be dropped", self.name);
        }
    }
}

async fn connect(config: &Config) -> anyhow::Result<Client> {
    let (client, connection) = config
        .connect(NoTls)
        .await
        .context("the database server cannot be reached with this URL (without TLS)")?;
    // Ends with the client.
    tokio::spawn(connection);
    Ok(client)
}

fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(host) => host == "localhost" || host.starts_with("127."),
        Host::Unix(_) => true,
    })
}

/// The parent of the process that serves us.
async fn first_process(client: &Client) -> Option<u32> {
    let row = client.query_one("SELECT pg_backend_pid()", &[]).await;
    let backend = u32::try_from(row.ok()?.get::<_, i32>(0)).ok()?;
    let name = fs::read_to_string(format!("/proc/{backend}/comm")).ok()?;
    name.starts_with("postgres").then(|| parent_of(backend))?
}

fn percent_encoded(bytes: impl AsRef<[u8]>) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let written = bytes.as_ref().iter().map(|byte| match *byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    written.collect()
}

/// A server that was started here. Dropped, it stops.
#[derive(Debug)]
struct OwnServer {
    child: Child,
    config: Config,
    _folder: Option<tempfile::TempDir>,
}

impl OwnServer {
    /// Starts a server in `dir`, which keeps its data, or in a temporary folder.
    fn start(dir: Option<&Path>) -> anyhow::Result<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_of_a_database_keeps_odd_passwords_whole() {
        let mut admin = Config::new();
        admin
            .host("127.0.0.1")
            .port(5433)
            .user("a b")
            .password("p@ss/w%rd");
        let server = Arc::new(Server {
            admin,
            pid: None,
            _own: None,
        });
        let database = Database {
            server,
            name: "z".into(),
            is_kept: true,
        };
        let url = database.url();
        let read: Config = url.expose_secret().parse().unwrap();
        assert_eq!(read.get_user(), Some("a b"));
        assert_eq!(read.get_password(), Some(&b"p@ss/w%rd"[..]));
        assert_eq!(read.get_dbname(), Some("z"));
    }
}
