//! Real brains on a real PostgreSQL while something breaks (`reliability.md`, layer R).
//!
//! Each test ends when every frame is acknowledged, and then reads the database itself. `cargo xtask soak --layer r`
//! lets faults go on for longer, by `Z4J_SOAK_SECONDS`.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test measures real processes and stops at the first fault"
)]

#[path = "../support/brain.rs"]
mod brain;
mod commands;
mod database;
mod database_link;
mod descriptors;
mod disk;
#[path = "../support/fleet.rs"]
mod fleet;
mod links;
mod pause;
mod replicas;
mod storm;
mod world;
