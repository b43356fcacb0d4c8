//! Fresh PostgreSQL databases for tests, and servers that tests may break.
//!
//! [`Database::fresh`] looks for a server in this order:
//! 1. `DATABASE_URL`: a server of yours. Each test makes a database of its own there and drops it at its end.
//! 2. Server programs on this machine (`Z4J_TEST_PG_BIN`, the search path, the usual folders): one temporary cluster for all
//!    test processes of a run, also when they run as root. It stops by itself a few seconds after its last user is gone.
//! 3. With the feature `containers`, a container engine such as Docker: one container for all test processes of a run, which
//!    ends and is removed a minute after its last user is gone.
//!
//! Without any of them it fails with one sentence that says what is missing. It never skips.
//!
//! ```no_run
//! use z4j_testkit::postgres::Database;
//!
//! # async fn example() {
//! let database = Database::fresh().await; // with z4j's schema in place
//! let store = database.store().await;
//! # drop(store);
//! # }
//! ```
//!
//! [`Cluster::durable`] takes server programs in any case. It is a server of the test's own, as safe as a real one, which it may stop, kill and freeze.
//! [`Bouncer`] is PgBouncer in transaction mode in front of a database.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a fixture is part of a test: it says what is wrong by panicking"
)]

mod admin;
mod bouncer;
mod cluster;
#[cfg(feature = "containers")]
mod container;
mod database;
mod programs;
mod shared;

pub use bouncer::Bouncer;
pub use cluster::Cluster;
pub use database::Database;

/// Why there is no server, as one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ServerMissing(String);

impl ServerMissing {
    fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}
