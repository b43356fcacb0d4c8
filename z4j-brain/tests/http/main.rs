//! What browsers, scripts and machines meet: errors, sign-in, rights, lists, the live stream, the dashboard's files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "a test stops at the first fault"
)]

mod accept;
mod agents;
mod dashboard;
mod document;
mod errors;
mod health;
mod lists;
mod matrix;
mod nested;
mod setup;
mod sign_in;
mod site;
mod stream;
mod throttle;
