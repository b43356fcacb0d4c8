//! Proves a third party's z4j part: a conformance suite, a reference store, fixtures, a scriptable agent.
//!
//! # Prove a store
//! Whoever writes a store keeps this as `tests/conformance.rs`. Each case of the suite becomes a test of its own, and its
//! name is the sentence that the store breaks:
//!
//! ```
//! use z4j_testkit::Fresh;
//! use z4j_testkit::mem::MemStore; // stands for your store
//!
//! async fn fresh() -> Fresh<MemStore> {
//!     let directory = "what must live as long as the store, such as its directory".to_owned();
//!     Fresh::new(MemStore::new()).keeping(directory)
//! }
//! z4j_testkit::store_conformance!(fresh);
//! # fn main() {}
//! ```
//!
//! `fresh` is called once for each case and must give an empty store, with its schema in place.
//!
//! # The map
//! - [`conformance`]: the suite; [`conformance::case`] lists what every store must do.
//! - [`suite`]: the same for engine adapters, transports and redactors.
//! - [`mem`]: the reference store. Read it to learn the contract; test against it, with faults on demand.
//! - [`fake_agent`]: an agent that does what a script says, right or wrong.
//! - [`ports`]: a port for a program that a test starts.
//! - `postgres` (feature `postgres`): fresh databases, and servers that tests may break.
//! - `small_disk` (feature `disk`, Linux): a disk that a test may fill.
//! - `fixture` (feature `sim`): a real brain on a free port.
//! - `sim` and `invariant` (feature `simulator`): real brains and agents on a simulated network of frames, in virtual time, on
//!   any store; a seed decides what goes wrong, an oracle knows what was promised.
//! - [`proxy`]: a TCP proxy for real processes that cuts, delays and swallows as a seed decides.
//! - `cutter` (feature `tcp`): a session over pipes, cut after every byte.
//! - `tcp` (feature `tcp`): real brains and agents on a simulated TCP network in virtual time, whose faults a seed decides.

pub mod conformance;
#[cfg(feature = "tcp")]
pub mod cutter;
pub mod fake_agent;
#[cfg(feature = "sim")]
pub mod fixture;
mod fresh;
#[cfg(feature = "tcp")]
pub mod glue;
#[cfg(feature = "simulator")]
pub mod invariant;
pub mod mem;
pub mod ports;
#[cfg(all(feature = "postgres", unix))]
pub mod postgres;
pub mod proxy;
#[cfg(feature = "simulator")]
pub mod sim;
#[cfg(all(feature = "disk", target_os = "linux"))]
pub mod small_disk;
pub mod suite;
#[cfg(feature = "tcp")]
pub mod tcp;

pub use fresh::Fresh;
