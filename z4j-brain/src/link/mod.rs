//! Links to agents: who is connected, and the socket of each.

mod ability;
mod admission;
mod closing;
mod handle;
mod handshake;
mod inbound;
mod outbox;
mod owners;
mod pace;
mod registry;
mod session;
mod tokens;
mod writer;
pub(crate) mod ws;

pub(crate) use ability::{Inability, ability_of_rows};
pub(crate) use handle::LinkHandle;
pub(crate) use outbox::{Ack, OutgoingCommand};
pub(crate) use registry::Registry;
