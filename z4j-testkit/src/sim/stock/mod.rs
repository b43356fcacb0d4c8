//! A model of the published agent (protocol dossier §5.3, §6.1): a buffer on disk, 256 batches in flight, sent again after
//! ninety seconds, published back-off, answers to commands that are gone with the socket.

mod bug;
mod commands;
mod disk;
mod session;

pub use bug::AgentBug;
pub(crate) use disk::{Disk, DiskEntry};
pub(crate) use session::{StockAgent, StockSetup};
