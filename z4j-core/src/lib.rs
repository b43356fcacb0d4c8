//! Ids, machines, wire frames and the seams of z4j: no runtime, no socket, no SQL.

pub mod audit;
pub mod command;
pub mod engine;
pub mod env;
pub mod id;
pub mod identity;
pub mod keys;
pub mod limits;
pub mod policy;
pub mod redact;
pub mod scheduler;
pub mod session;
pub mod store;
pub mod task;
pub mod time;
pub mod transport;
pub mod wire;
