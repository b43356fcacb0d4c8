//! Hands commands to links and takes the answers.
//!
//! A row is there before anything is sent (`design.md` §5). Whoever holds a link to the agent claims it, and only the one
//! whose claim succeeded sends it. What becomes of it is decided by the machine in core, inside the store.

mod answer;
mod answers;
mod dispatcher;
mod lost;
mod payload;
mod sweep;

pub(crate) use answer::Answer;
pub(crate) use dispatcher::Dispatcher;
