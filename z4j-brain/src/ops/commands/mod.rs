//! Retry and cancel: from a person's wish to a row that a link will take.

mod choice;
mod error;
mod request;
mod write;

pub(crate) use error::IssueError;
pub(crate) use request::{Intent, IssueRequest, RetryOptions, When};
pub(crate) use write::issue;
