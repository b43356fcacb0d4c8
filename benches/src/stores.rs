//! The stores that our own brain runs on, opened directly.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::ValueEnum;
use secrecy::{ExposeSecret as _, SecretString};
use z4j_core::store::Store;
use z4j_store_pg::{PgConfig, PgStore, PgUrl};
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
    handle: Handle,
}

/// The store as what it is, to be closed.
enum Handle {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PgStore>),
}

impl Opened {
    /// Finishes what waits, so that a brain can take over.
    pub(crate) async fn close(self) {
        match &self.handle {
            Handle::Sqlite(store) => store.close().await,
            Handle::Postgres(store) => store.close().await,
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
        handle: Handle::Sqlite(sqlite),
    })
}

async fn postgres(url: &SecretString) -> anyhow::Result<Opened> {
    // The fault may quote the URL, and with it the password.
    let url = PgUrl::parse(url.expose_secret())
        .map_err(|_| anyhow::anyhow!("the database URL cannot be read"))?;
    let config = PgConfig::new(url);
    PgStore::migrate(&config)
        .await
        .context("the database cannot be brought to its schema")?;
    let store = PgStore::open(config).await;
    let store = Arc::new(store.context("the PostgreSQL store cannot be opened")?);
    Ok(Opened {
        store: Arc::clone(&store) as Arc<dyn Store>,
        handle: Handle::Postgres(store),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::work;
    use crate::postgres::Server;
    use crate::store_alone;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres_store_takes_every_row_of_a_run_alone_and_its_database_goes_with_it() {
        let server = std::env::var("DATABASE_URL").ok();
        let server = Server::open(server.as_deref(), None).await.unwrap();
        let database = server.database(None).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let opened = open(folder.path(), Some(&database.url())).await.unwrap();
        let (rate, costs) = store_alone::measure(&opened.store, &work(400), server.pid)
            .await
            .unwrap();
        opened.close().await;
        assert!(rate > 0.0);
        let columns: Vec<_> = costs.columns().into_iter().map(|(name, _)| name).collect();
        assert!(columns.contains(&"pg_cpu_s"), "{columns:?}");
        let others = "SELECT count(*) FROM pg_database WHERE datname LIKE 'z4j_bench_%'";
        let before = database.number(others).await.unwrap();
        let watcher = server.database(None).await.unwrap();
        drop(database);
        assert_eq!(watcher.number(others).await.unwrap(), before);
    }
}
