//! Proves a third party's z4j part: conformance suites, fixtures, a scriptable agent.

pub mod conformance;
pub mod fake_agent;
pub mod mem;
