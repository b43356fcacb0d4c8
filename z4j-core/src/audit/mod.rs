//! The audit chain: who did what, each entry sealed together with the one before it.
//!
//! Pure. Stores call [`seal`] in the transaction of the effect (`reliability.md` §6.4); [`verify`] walks a chain and names
//! the first entry that does not fit. A chain alone cannot show that its tail was cut off: compare [`ChainReport::head`]
//! with one that was kept elsewhere.

mod canonical;
mod chain;
mod entry;
mod key;

pub use chain::{ChainFault, ChainReport, FaultKind, seal, verify};
pub use entry::{
    Actor, AuditDraft, AuditEntry, ChainHead, ChainId, Outcome, ParseChainIdError,
    ParseOutcomeError,
};
pub use key::AuditKey;
