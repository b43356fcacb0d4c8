//! What every store must do, as named test cases.
//!
//! ```
//! // tests/conformance.rs
//! use z4j_testkit::{Fresh, mem::MemStore};
//!
//! async fn fresh() -> Fresh<MemStore> {
//!     Fresh::new(MemStore::default())
//! }
//! z4j_testkit::store_conformance!(fresh);
//! # fn main() {}
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a case is a test: it says what is wrong by panicking"
)]

#[macro_use]
mod listing;

mod agents;
mod announcements;
mod audit;
mod cases;
mod commands;
mod coordination;
mod events;
mod filters;
mod fleet;
mod identity;
mod isolation;
mod issued;
mod lists;
mod merge;
mod named;
mod namesakes;
mod outcomes;
mod people;
mod replicas;
mod retries;
mod scene;
mod sent;
mod streams;
mod tasks;
mod timeline;
mod workers;

use std::time::Duration;

pub use cases::case;

/// A case that takes longer hangs: the whole suite takes seconds.
const CASE_TIME_MAX: Duration = Duration::from_secs(120);

/// Runs one case on a runtime of its own; what [`crate::store_conformance!`] makes its tests of.
pub fn run<F: Future<Output = ()>>(case: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime for the case");
    let timed = async { tokio::time::timeout(CASE_TIME_MAX, case).await };
    runtime
        .block_on(timed)
        .expect("a store must answer: the case hangs");
}
