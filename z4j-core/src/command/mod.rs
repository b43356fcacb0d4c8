//! The command machine: from a person's wish to an engine's answer, or an honest "not known".
//!
//! Pure. Stores call [`apply`] inside the transaction that changes the row (`reliability.md` D13).

mod action;
mod apply;
mod document;
mod state;

pub use action::{Action, ParseActionError, is_safe_to_resend};
pub use apply::{
    CommandAbsorbReason, CommandInput, CommandRefuseReason, CommandVerdict, apply,
    is_of_another_try,
};
pub use document::document;
pub use state::{CommandState, ParseCommandStateError};
