//! Layer F: real brains, real Rust agents and simulated published agents under one seed, in virtual time.
//!
//! The network between them is ours: it delays, cuts, partitions, doubles, reorders, replays, spoils and loses frames. Brains
//! and agents crash, move and come back; clocks jump; the database fails before a commit, after it, or not at all but late.
//! Dashboards follow the live stream, lose it and come back, also at another brain. An oracle sees every frame as it is sent and every write as it is made, and knows what was promised to whom. At the end
//! all faults are taken away, everything must settle within a minute, and the store is audited.
//!
//! Whoever writes a store runs brains on it through all this in their own tests:
//!
//! ```
//! use std::sync::Arc;
//! use z4j_testkit::mem::MemStore; // stands for your store
//! use z4j_testkit::sim::World;
//!
//! let outcome = World::new(4711)
//!     .with_store(|| async { Arc::new(MemStore::new()) as Arc<dyn z4j_core::store::Store> })
//!     .run();
//! outcome.assert_sound();
//! assert!(!outcome.trace().is_empty());
//! ```
//!
//! A run is its seed: the same seed gives the same trace to the byte, also in another process, as long as the store reads
//! no clock and starts no thread that answers at its own pace. A failing seed prints the command that plays it again.

mod brain;
mod chance;
mod clock;
mod dashboard;
mod driver;
mod fleet;
mod network;
pub(crate) mod oracle;
mod outcome;
mod people;
mod picture;
mod plan;
mod readiness;
mod record;
mod situation;
mod stock;
mod store;
mod sweep;
mod workload;
mod world;

pub use chance::Chance;
pub use dashboard::DashboardBug;
pub(crate) use dashboard::{DashboardPicture, ShownCommand, ShownTask};
pub use outcome::Outcome;
pub(crate) use picture::{Picture, StoredProject};
pub use record::Violation;
pub use situation::Situation;
pub use stock::AgentBug;
pub use store::{HookedStore, StoreHooks};
pub use sweep::{Sweep, sweep};
pub use world::World;

use std::sync::Arc;

use z4j_core::store::Store;

/// Puts something around the store as one run of a brain sees it.
pub(crate) type StoreWrap = Arc<dyn Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync>;
