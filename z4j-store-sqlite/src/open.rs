//! Opens connections with the settings that the store's promises rest on.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::config::SqliteConfig;
use crate::fault::Fault;
use crate::migrate;

/// How long a connection waits for another process that holds the database.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps.
const STATEMENTS_KEPT: usize = 256;
/// The log file is cut back to this size after a checkpoint.
const LOG_BYTES_KEPT: i64 = 64 << 20;

/// The connection that writes, with the schema brought up to date.
pub(crate) fn writer(config: &SqliteConfig) -> Result<Connection, Fault> {
    create_private(&config.path)?;
    let mut db = connect(&config.path, config.writer_cache_kib)?;
    // First, because on a file that is no database every later statement would fail with less to say.
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        row.get::<_, i64>(0)
    })?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Fault::Foreign(
            "the file system does not allow a write-ahead log",
        ));
    }
    // FULL syncs the log at every commit: an acknowledged commit survives the loss of power.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    if let Some(pages) = config.pages_max {
        db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    migrate::run(&mut db)?;
    Ok(db)
}

/// A connection that only reads.
pub(crate) fn reader(config: &SqliteConfig) -> Result<Connection, Fault> {
    let db = connect(&config.path, config.reader_cache_kib)?;
    crate::tasks::install(&db)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

fn connect(path: &Path, cache_kib: u32) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_WAIT)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    db.pragma_update(None, "foreign_keys", true)?;
    // Negative: KiB. Memory is taken as pages are used. No memory map: a read error there would be a signal, not an error.
    db.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}

/// Makes the file for the owner's eyes only. SQLite gives its log files the same mode.
fn create_private(path: &Path) -> Result<(), Fault> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let is_shared = file.metadata()?.permissions().mode() & 0o077 != 0;
        if is_shared {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        }
    }
    #[cfg(not(unix))]
    drop(file);
    Ok(())
}
