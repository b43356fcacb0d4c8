//! Ids, machines, wire frames and the seams of z4j: no runtime, no socket, no SQL.

pub mod audit;
pub mod command;
pub mod env;
pub mod id;
pub mod identity;
pub mod keys;
pub mod limits;
pub mod policy;
pub mod redact;
pub mod session;
pub mod store;
pub mod task;
pub mod time;
pub mod wire;
