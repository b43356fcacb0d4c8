//! The z4j store on SQLite: one file, one writer, the embedded default.
//!
//! One thread writes. It takes every operation that waits, runs each in its own savepoint of one transaction, syncs the
//! log once and then answers all of them, so that many small writes cost little more than one. A few threads read, each on
//! a snapshot. `Ok` of a write means that it survives the loss of power (`synchronous=FULL`). The caller's tokio runtime must
//! have timers: a read that takes too long is stopped.
//!
//! ```
//! use z4j_core::store::IdentityStore;
//! use z4j_store_sqlite::SqliteStore;
//!
//! # async fn example(directory: &std::path::Path) -> Result<(), z4j_core::store::StoreError> {
//! let store = SqliteStore::in_dir(directory)?;
//! assert!(!store.has_users().await?);
//! store.close().await;
//! # Ok(())
//! # }
//! # let directory = tempfile::tempdir().unwrap();
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
//! # runtime.block_on(example(directory.path())).unwrap();
//! ```
//!
//! The map: `writer` and `readers` are the threads; `open` and `migrate` the start; then one module for each
//! trait of [`z4j_core::store`], with the SQL next to the method that it serves.

mod audit;
mod commands;
mod config;
mod coordination;
mod fault;
mod fleet;
mod identity;
mod ingest;
mod leases;
mod migrate;
mod open;
mod readers;
mod replicas;
mod row;
mod store;
mod tasks;
mod writer;

use z4j_core::store::cursor;

pub use config::SqliteConfig;
pub use store::SqliteStore;
