//! Which database the settings name, and opening it.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use secrecy::ExposeSecret;
use z4j_core::store::{Store, StoreError, StoreErrorKind};
use z4j_store_pg::{PgConfig, PgStore, PgUrl};
use z4j_store_sqlite::{SqliteConfig, SqliteStore};

use crate::settings::Settings;

/// What the database URL says.
#[derive(Debug)]
pub(crate) enum Choice {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<PgConfig>),
}

/// An open database.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// A file.
    Sqlite(Arc<SqliteStore>),
    /// A server.
    Postgres(Arc<PgStore>, String),
}

impl Choice {
    /// Reads the settings.
    ///
    /// # Errors
    /// In one sentence: what is wrong with the URL.
    pub(crate) fn read(settings: &Settings) -> anyhow::Result<Self> {
        let Some(url) = &settings.database_url else {
            return Ok(Self::Sqlite(settings.data_dir.join("z4j.db")));
        };
        let text = url.expose_secret();
        if let Some(path) = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
        {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(Box::new(postgres(settings, text)?)));
        }
        bail!("the database URL must begin with postgres: or sqlite:");
    }

    /// Whether nothing was ever stored there, so that new secrets lock nobody out.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub(crate) async fn is_new(&self) -> anyhow::Result<bool> {
        match self {
            Self::Sqlite(path) => Ok(!path.exists()),
            Self::Postgres(config) => PgStore::is_new(config).await.map_err(said),
        }
    }

    /// Claims a file for one brain while the answer lives, however the process ends. A server is for several.
    ///
    /// # Errors
    /// In one sentence: another brain has it.
    pub(crate) fn claim(&self) -> anyhow::Result<Option<File>> {
        let Self::Sqlite(path) = self else {
            return Ok(None);
        };
        let name = path.with_added_extension("serving");
        // Where there can be no such file there can be no database, and opening that says why.
        let Ok(claim) = File::options().create(true).append(true).open(name) else {
            return Ok(None);
        };
        match claim.try_lock() {
            Err(TryLockError::WouldBlock) => bail!(
                "another brain serves the database file {}; stop it first, or use PostgreSQL for several",
                path.display()
            ),
            // A file system without locks.
            Err(TryLockError::Error(_)) | Ok(()) => Ok(Some(claim)),
        }
    }

    /// Opens it. A new database gets its schema; the schema of an old one is raised here only for a file.
    ///
    /// # Errors
    /// In one sentence: why it cannot be opened.
    pub(crate) async fn open(self) -> anyhow::Result<Database> {
        match self {
            Self::Sqlite(path) => {
                let store = SqliteStore::open(SqliteConfig::new(&path));
                let store = store.map_err(|fault| sentence(&path, fault))?;
                Ok(Database::Sqlite(Arc::new(store)))
            }
            Self::Postgres(config) => {
                if PgStore::is_new(&config).await.map_err(said)? {
                    PgStore::migrate(&config).await.map_err(said)?;
                }
                let name = config.url.to_string();
                let store = PgStore::open(*config).await.map_err(said)?;
                Ok(Database::Postgres(Arc::new(store), name))
            }
        }
    }

    /// Brings the schema up to this version.
    ///
    /// # Errors
    /// In one sentence: why it cannot be; the schema is as it was.
    pub(crate) async fn migrate(self) -> anyhow::Result<String> {
        match self {
            Self::Sqlite(_) => {
                let database = self.open().await?;
                database.close().await;
                Ok(database.name())
            }
            Self::Postgres(config) => {
                PgStore::migrate(&config).await.map_err(said)?;
                Ok(config.url.to_string())
            }
        }
    }

    /// What to call it; never with a password.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(config) => config.url.to_string(),
        }
    }
}

impl Database {
    /// The store that a brain works on.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Postgres(store, _) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// What to call it; never with a password.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Sqlite(store) => store.path().display().to_string(),
            Self::Postgres(_, name) => name.clone(),
        }
    }

    /// Closes it in order.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store, _) => store.close().await,
        }
    }
}

fn postgres(settings: &Settings, text: &str) -> anyhow::Result<PgConfig> {
    let url = PgUrl::parse(text).context("the database URL cannot be read")?;
    let mut config = PgConfig::new(url)
        .behind_pgbouncer(settings.database_pgbouncer)
        .allowing_weak_durability(settings.database_allow_weak_durability);
    if let Some(listen) = &settings.database_listen_url {
        let url = PgUrl::parse(listen.expose_secret());
        config = config.with_listen_url(url.context("the listen URL cannot be read")?);
    }
    if let Some(file) = &settings.database_tls_root {
        config = config.with_tls_root(file);
    }
    if let Some(schema) = &settings.database_schema {
        config = config.with_schema(schema);
    }
    if let Some(connections) = settings.database_connections {
        config = config.with_connections(connections);
    }
    Ok(config)
}

/// The store's own sentence.
fn said(fault: StoreError) -> anyhow::Error {
    match fault.source() {
        Some(source) => anyhow!("{source}"),
        None => anyhow!(fault),
    }
}

/// A fault of the file at start, in the operator's words.
fn sentence(path: &Path, fault: StoreError) -> anyhow::Error {
    let file = path.display();
    let words = match fault.kind() {
        StoreErrorKind::SchemaTooNew => {
            format!("the database {file} was written by a newer z4j: use that version or a backup")
        }
        StoreErrorKind::SchemaTooOld => {
            format!("the database {file} needs a schema step: run z4j migrate")
        }
        StoreErrorKind::ReadOnly => {
            format!("the database {file} cannot be written: check its owner and mode")
        }
        StoreErrorKind::Full => format!("there is no room left for the database {file}"),
        StoreErrorKind::Corrupt | StoreErrorKind::Damaged => {
            format!("{file} is not a z4j database, or it is damaged")
        }
        _ => format!("the database {file} cannot be opened"),
    };
    anyhow!(fault).context(words)
}
