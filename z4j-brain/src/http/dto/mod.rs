//! What REST and the live stream say, one file for each resource. The same shapes serve both.

pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod command;
pub(crate) mod fleet;
mod json;
pub(crate) mod page;
pub(crate) mod people;
pub(crate) mod project;
pub(crate) mod stats;
pub(crate) mod task;

pub(crate) use json::Json;
