//! What a start refuses, and what it leaves behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what is wrong by panicking"
)]

mod support;

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use support::{batch, counted, create_project};
use z4j_core::store::{EventStore, IdentityStore, StoreErrorKind};
use z4j_store_sqlite::{SqliteConfig, SqliteStore};

fn refusal(path: &Path) -> StoreErrorKind {
    SqliteStore::open(SqliteConfig::new(path))
        .expect_err("a refusal")
        .kind()
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_start_without_a_close() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    create_project(&store).await;
    let _ = store.ingest(batch(1, 3, 10)).await.unwrap();
    drop(store);
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    assert_eq!(counted(&store).await, 1);
}

#[tokio::test]
async fn a_closed_store_refuses_writes_and_leaves_no_log() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::in_dir(directory.path()).unwrap();
    create_project(&store).await;
    store.close().await;
    let fault = store.ingest(batch(1, 3, 10)).await.expect_err("closed");
    assert_eq!(fault.kind(), StoreErrorKind::Unavailable);
    let log = store.path().with_extension("db-wal");
    assert_eq!(fs::metadata(log).map_or(0, |log| log.len()), 0);
}

#[test]
fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("z4j.db");
    drop(SqliteStore::open(SqliteConfig::new(&path)).unwrap());
    let db = Connection::open(&path).unwrap();
    db.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (999, 'x', x'00')",
        [],
    )
    .unwrap();
    drop(db);
    assert_eq!(refusal(&path), StoreErrorKind::SchemaTooNew);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    let text = "these are my notes ".repeat(200);
    fs::write(&path, &text).unwrap();
    assert_eq!(refusal(&path), StoreErrorKind::Damaged);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        .unwrap();
    drop(db);
    assert_eq!(refusal(&path), StoreErrorKind::Damaged);
    let tables: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_place_that_cannot_be_written_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let fault = SqliteStore::in_dir(file.join("below")).expect_err("a file is no directory");
    assert_eq!(fault.kind(), StoreErrorKind::Unavailable);
    assert_eq!(
        refusal(&directory.path().join("absent").join("z4j.db")),
        StoreErrorKind::Unavailable
    );
}

/// The kernel's own tree takes no directories from anybody, root included.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_without_the_right_to_write_is_read_only() {
    let fault = SqliteStore::in_dir("/sys/kernel/z4j").expect_err("nobody may write here");
    assert_eq!(fault.kind(), StoreErrorKind::ReadOnly);
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let store = SqliteStore::in_dir(&directory).unwrap();
    create_project(&store).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(store.path()), 0o600);
    assert_eq!(mode(&store.path().with_extension("db-wal")), 0o600);
}

#[tokio::test]
async fn a_second_start_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let store = SqliteStore::in_dir(directory.path()).unwrap();
        assert!(!store.has_users().await.unwrap());
        store.close().await;
    }
}
