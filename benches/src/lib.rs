//! Benchmarks that can drive any protocol-v2 brain by URL and credentials, several side by side in one run.
//!
//! The map: `cli` names the benches, one module for each. `target` turns what was asked for into brains that are ready
//! to be driven, `process` and `postgres` start our own; `link`, `driver` and `paced` are the agents; `meter` says what
//! driver, brain and database cost, and `report` prints all of it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    reason = "a bench measures real time on a real machine and stops at the first fault"
)]

mod ack;
mod ceiling;
mod cli;
mod client;
mod command;
mod cpu_time;
mod credentials;
mod decay;
mod driver;
mod events;
mod footprint;
mod grown;
mod idle;
mod ingest;
mod link;
mod loader;
mod meter;
mod nofile;
mod own_server;
mod paced;
mod payload;
mod population;
mod postgres;
mod process;
mod query;
mod query_cases;
mod ready;
mod report;
mod store_alone;
mod stores;
mod storm;
mod storm_agent;
mod target;
mod verify;

pub use cli::main;
