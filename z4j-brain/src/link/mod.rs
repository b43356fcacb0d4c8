//! Links to agents: who is connected, and the frames of each.

mod ability;
mod admission;
mod closing;
mod ends;
mod handle;
mod handshake;
mod inbound;
mod outbox;
mod owners;
mod pace;
mod presence;
mod registry;
pub(crate) mod seam;
mod session;
mod socket;
mod stream;
mod tokens;
mod writer;
pub(crate) mod ws;

pub(crate) use ability::{Inability, ability_of_rows};
pub(crate) use handle::LinkHandle;
pub(crate) use outbox::{Ack, OutgoingCommand};
pub(crate) use owners::{Owners, was_there};
pub(crate) use registry::Registry;
