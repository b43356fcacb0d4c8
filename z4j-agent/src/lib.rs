//! The z4j agent: observes a queue engine inside its process and executes commands on it.
//!
//! It connects to a brain, redacts and buffers what its engines observe, delivers it at least once, and carries out
//! commands. It never blocks its host and never panics into it; what it cannot keep, it counts and reports.
//!
//! ```no_run
//! use std::time::Duration;
//! use z4j_agent::{Agent, BufferLimits, Credential};
//! # use z4j_core::engine::Engine;
//!
//! # async fn start(engine: impl Engine, token: String, hmac_secret: String) -> Result<(), z4j_agent::ConfigError> {
//! let agent = Agent::builder("https://brain.example", Credential::new(token, "default", hmac_secret))
//!     .with_engine(engine)
//!     .with_name("box-1")
//!     .with_buffer(BufferLimits { events_max: 10_000, bytes_max: 8 << 20 })
//!     .build()?
//!     .spawn();
//! // … the application runs …
//! agent.shutdown(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! An engine adapter implements [`z4j_core::engine::Engine`]; [`EventTap`] is the queue between the two.
//!
//! The map: `builder` checks the settings, `agent` starts and stops, `runtime` is the loop with sockets and tasks, `driver` decides without either,
//! `buffer` keeps events, `commands` keeps commands, `pump` and `capture` bring events in, `jobs` carries commands out,
//! `health` and `loss` say how it goes, `transport` moves frames.

mod agent;
mod buffer;
mod builder;
mod capture;
mod commands;
mod config;
mod driver;
pub mod engine;
mod health;
mod jobs;
mod loss;
mod pump;
mod runtime;
mod tap;
pub mod transport;

pub use agent::{Agent, AgentHandle};
pub use builder::AgentBuilder;
pub use config::{BufferLimits, ConfigError, Credential};
pub use driver::{AgentState, LinkState};
pub use tap::{EventTap, TAP_EVENTS_DEFAULT};
