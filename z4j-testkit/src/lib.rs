//! Proves a third party's z4j part: conformance suites, fixtures, a scriptable agent.

pub mod conformance;
pub mod fake_agent;
#[cfg(feature = "sim")]
pub mod fixture;
mod fresh;
pub mod mem;

pub use fresh::Fresh;
