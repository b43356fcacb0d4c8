//! The binary as an operator meets it: settings, secrets, first run, and one clear sentence for each thing that is wrong.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test measures real processes and stops at the first fault"
)]

#[path = "../support/brain.rs"]
mod brain;
mod failures;
mod first_run;
mod operator;
mod variables;
