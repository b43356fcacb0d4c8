//! The z4j store on PostgreSQL: the production default, shared by any number of brains.
//!
//! `Ok` of a write means that it survives the loss of power: a server with `fsync` off is refused, and a commit waits for the
//! disk also where the server's default does not. The schema is made by [`PgStore::migrate`], in the deploy step or before a
//! start; [`PgStore::open`] refuses any other. Everything works through PgBouncer in transaction mode, except for the one
//! connection that waits for notifications ([`PgConfig::listen_url`]); without notifications brains still work, by polling.
//!
//! ```no_run
//! use z4j_core::store::{Coordination, StoreError};
//! use z4j_core::time::Timestamp;
//! use z4j_store_pg::{PgConfig, PgStore, PgUrl};
//!
//! # async fn example(now: Timestamp) -> Result<(), Box<dyn std::error::Error>> {
//! let url = PgUrl::parse("postgres://brain:secret@db.internal/z4j?sslmode=verify-full")?;
//! let config = PgConfig::new(url).with_schema("z4j");
//! PgStore::migrate(&config).await?;
//! let store = PgStore::open(config).await?;
//! for warning in store.probe(now).await?.warnings {
//!     eprintln!("{warning}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Rights
//! The role that migrates owns the tables. A role that only serves needs `SELECT, INSERT, UPDATE, DELETE` on them, of which
//! `SELECT, INSERT` are enough on `audit_entries` and `SELECT` on `z4j_migrations`; the right to `CREATE` in the schema lets
//! it make the days of events and of searched words by itself.
//!
//! # Text
//! PostgreSQL has no NUL in text. It is kept as U+FDD0 and a zero, and comes back as it was.
//!
//! # The map
//! `url`, `config`, `session`, `open`, `checks` and `migrate` are the start; `store` and `db` the way to the database, `connect`
//! and `listen` the connections beside the pool; `day` by what tables are parted; then one module for each trait of [`z4j_core::store`], with the SQL next to
//! the method that it serves.

mod audit;
mod checks;
mod commands;
mod config;
mod connect;
mod coordination;
mod day;
mod db;
mod fault;
mod fleet;
mod identity;
mod ingest;
mod join;
mod leases;
mod lent;
mod listen;
mod migrate;
mod open;
mod replicas;
mod row;
mod session;
mod store;
mod tasks;
mod text;
mod tls;
mod url;

use z4j_core::store::cursor;

pub use config::PgConfig;
pub use join::Joined;
pub use migrate::Migrated;
pub use store::PgStore;
pub use url::{PgUrl, SslMode, UrlError};
