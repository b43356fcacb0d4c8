//! The task machine: what a task's events say about it, as a merge.
//!
//! Any order, any repetition and any batching of the same events ends in the same [`TaskRecord`]. Nothing here reads a
//! clock or a database: stores call it inside the transaction that also writes the events (`reliability.md` D5, D6).

mod apply;
mod attempts;
mod counter;
mod document;
mod encode;
mod error_text;
mod event;
mod facts;
mod kind;
mod members;
mod read;
mod record;
mod register;
mod state;
mod table;
mod view;

use std::sync::Arc;

pub use apply::{AbsorbReason, RefuseReason, Transition, Verdict, apply, transition};
pub use counter::{CounterKey, counter_delta, counters_of};
pub use document::document;
pub use encode::DecodeError;
pub use event::TaskEvent;
pub use facts::TaskFacts;
pub use kind::EventKind;
pub use record::TaskRecord;
pub use state::{ParseStateError, TaskState};
pub use view::TaskView;

/// Text that many owners may hold: a record, its copy in a batch, a live update.
pub type Text = Arc<str>;
