//! The suite that every store must pass, on SQLite.

#![allow(clippy::expect_used, reason = "a test says what is wrong by panicking")]

use z4j_store_sqlite::SqliteStore;
use z4j_testkit::Fresh;

async fn fresh() -> Fresh<SqliteStore> {
    let directory = tempfile::tempdir().expect("a directory");
    Fresh::new(SqliteStore::in_dir(directory.path()).expect("a store")).keeping(directory)
}

z4j_testkit::store_conformance!(fresh);
