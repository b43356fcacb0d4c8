//! A PostgreSQL server for our own brain: the one of `DATABASE_URL`, or a temporary one from the local binaries.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use secrecy::SecretString;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};
use z4j_core::env::Env;
use z4j_core::keys::to_hex;

use crate::meter::parent_of;
use crate::own_server::OwnServer;

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
        self.tidy().await
    }

    /// Vacuums, analyses and writes what waits to be written.
    pub(crate) async fn tidy(&self) -> anyhow::Result<()> {
        let mut config = self.server.admin.clone();
        config.dbname(&self.name);
        let client = connect(&config).await?;
        client.batch_execute("VACUUM (ANALYZE)").await?;
        // A user who may not checkpoint waits for the server's own.
        let _ = client.batch_execute("CHECKPOINT").await;
        Ok(())
    }

    /// How many bytes the server has written to its log since it was made.
    pub(crate) async fn wal_bytes(&self) -> anyhow::Result<i64> {
        self.number("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
            .await
    }
}

/// Moves all texts to where searches find them by index. The index is built anew, which for millions of rows is many times
/// faster than one row after another.
async fn move_texts(client: &Client) -> anyhow::Result<()> {
    const INDEX: &str = "SELECT replace(indexdef, ' ON ONLY ', ' ON ') AS indexdef FROM pg_indexes WHERE indexname = 'task_texts_by_gram'";
    const MOVE: &str = "WITH moved AS (DELETE FROM task_texts_new RETURNING project_id, at, engine, task_id, words) \
        INSERT INTO task_texts (project_id, at, engine, task_id, words) \
        SELECT project_id, at, engine, task_id, words FROM moved";
    let index = client.query_one(INDEX, &[]).await?;
    let index: String = index.get("indexdef");
    client
        .batch_execute("DROP INDEX task_texts_by_gram")
        .await?;
    client.batch_execute(MOVE).await?;
    client
        .batch_execute("SET maintenance_work_mem = '1GB'")
        .await?;
    client.batch_execute(&index).await?;
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

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

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
