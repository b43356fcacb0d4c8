//! The store itself: its threads, and the way to them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::broadcast;
use z4j_core::store::{StoreError, Topic};

use crate::config::SqliteConfig;
use crate::fault::Fault;
use crate::open;
use crate::readers::Readers;
use crate::replicas::Earlier;
use crate::writer::{Tx, Writer};

/// The name of the database file in a data directory.
const FILE_NAME: &str = "z4j.db";
/// Wake-ups that a slow subscriber may be behind before it misses some.
const WAKEUPS_WAITING_MAX: usize = 64;

/// Announcements that a slow listener may be behind before it is told that it missed some.
const ANNOUNCEMENTS_WAITING_MAX: usize = 1024;

/// A store in one SQLite file. Clones share it; the threads end with the last one.
#[derive(Clone)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    pub(crate) wakeups: broadcast::Sender<Topic>,
    pub(crate) announcements: broadcast::Sender<String>,
    pub(crate) earlier: Arc<Earlier>,
    path: Arc<PathBuf>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl SqliteStore {
    /// Opens the database, makes it when it is absent, and brings its schema up to date. Blocks meanwhile.
    ///
    /// # Errors
    /// A [`StoreError`] whose kind says why not: `ReadOnly` for a place that cannot be written, `Damaged` for what is
    /// no database of z4j, `SchemaTooNew` for that of a newer program, else `Full` or `Unavailable`.
    pub fn open(config: SqliteConfig) -> Result<Self, StoreError> {
        Self::start(config).map_err(|fault| fault.during("open database"))
    }

    /// Opens `z4j.db` in `directory` with the usual settings; makes the directory when it is absent.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn in_dir(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let directory = directory.as_ref();
        make_directory(directory).map_err(|fault| fault.during("make data directory"))?;
        Self::open(SqliteConfig::new(directory.join(FILE_NAME)))
    }

    fn start(config: SqliteConfig) -> Result<Self, Fault> {
        let db = open::writer(&config)?;
        let connections = (0..config.readers.max(1))
            .map(|_| open::reader(&config))
            .collect::<Result<Vec<_>, _>>()?;
        let (wakeups, _) = broadcast::channel(WAKEUPS_WAITING_MAX);
        let (writer, thread) = Writer::start(db, config.checkpoint_pages, wakeups.clone())?;
        let (readers, mut threads) = Readers::start(connections)?;
        threads.push(thread);
        Ok(Self {
            writer,
            readers,
            wakeups,
            announcements: broadcast::Sender::new(ANNOUNCEMENTS_WAITING_MAX),
            earlier: Arc::default(),
            path: Arc::new(config.path),
            threads: Arc::new(Mutex::new(threads)),
        })
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finishes what waits, folds the log into the database and stops writing. Later writes fail as `Unavailable`.
    /// Without it nothing is lost either; the next start only has a log to read.
    pub async fn close(&self) {
        self.writer.stop().await;
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }

    pub(crate) async fn write<T, F>(&self, context: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    {
        self.writer.write(context, 1, work).await
    }

    pub(crate) async fn write_many<T, F>(
        &self,
        context: &'static str,
        weight: usize,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Fault> + Send + 'static,
    {
        self.writer.write(context, weight, work).await
    }

    pub(crate) async fn read<T, F>(&self, context: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.readers.read(context, work).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn make_directory(directory: &Path) -> Result<(), Fault> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    Ok(())
}
