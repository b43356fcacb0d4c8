//! The stores that our own brain runs on, opened directly.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::ValueEnum;
use secrecy::SecretString;
use z4j_core::store::Store;
use z4j_store_sqlite::SqliteStore;

/// What our own brain keeps its data in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// One SQLite file.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl StoreKind {
    /// The word for tables and folders.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// An open store.
pub(crate) struct Opened {
    /// The store.
    pub(crate) store: Arc<dyn Store>,
    sqlite: Option<Arc<SqliteStore>>,
}

impl Opened {
    /// Finishes what waits, so that a brain can take over.
    pub(crate) async fn close(self) {
        if let Some(sqlite) = &self.sqlite {
            sqlite.close().await;
        }
    }
}

/// Opens the store of a data folder, or of a database when there is one.
pub(crate) async fn open(
    data_dir: &Path,
    database_url: Option<&SecretString>,
) -> anyhow::Result<Opened> {
    if let Some(url) = database_url {
        return postgres(url).await;
    }
    let sqlite = Arc::new(SqliteStore::in_dir(data_dir).context("the store cannot be opened")?);
    Ok(Opened {
        store: Arc::clone(&sqlite) as Arc<dyn Store>,
        sqlite: Some(sqlite),
    })
}

#[expect(clippy::unused_async, reason = "as the other store's")]
async fn postgres(_url: &SecretString) -> anyhow::Result<Opened> {
    anyhow::bail!("this build has no PostgreSQL store")
}
