//! What the simulated TCP network and the byte cutter have in common: seeded chance, agents with a script, and a ledger
//! of what was sent, acknowledged and carried out, which is held against the store in the end.
//!
//! - [`Ledger`] is told by [`Tap`], which wraps any [`Transport`](z4j_core::transport::Transport), what goes over a link,
//!   and by [`ScriptedEngine`] what happened and what was carried out.
//! - [`StockAgent`] behaves like a published agent: one event per frame, a buffer that outlives its process, everything
//!   again after 90 seconds without an ack.
//! - [`Checks`] compares ledger and store.

mod book;
mod checks;
mod engine;
mod ids;
mod ledger;
mod script;
mod setting;
mod stock;
mod tap;
mod trace;

pub use crate::proxy::Chance;
pub use checks::Checks;
pub use engine::ScriptedEngine;
pub use ids::SeededIds;
pub use ledger::{Ledger, Tally};
pub use script::TaskScript;
pub use setting::{BrainKit, GlueError, Minted};
pub use stock::{StockAgent, StockDisk};
pub use tap::Tap;
pub use trace::Trace;

/// The name of the scripted engine on the wire.
pub const ENGINE: &str = "script";
