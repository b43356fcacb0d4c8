//! Engines. Adapters for real queues implement [`z4j_core::engine::Engine`] in crates of their own or behind a feature.

#[cfg(feature = "inproc")]
pub mod inproc;
