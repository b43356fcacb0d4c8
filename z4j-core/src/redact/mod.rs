//! Redaction: nothing that looks like a secret is kept.

mod wrap;

pub use wrap::{Raw, Redacted};
