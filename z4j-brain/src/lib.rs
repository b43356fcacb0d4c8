//! The z4j brain as a library: ingest, dispatch, REST and the live stream.
//!
//! A brain needs a [`Store`](z4j_core::store::Store), its secrets and an [`AccessPolicy`](access::AccessPolicy). It
//! gives back a router to serve or to nest, and a future to run. It reads no environment, installs no logger and
//! catches no signal: that is for whoever embeds it.

pub mod access;
mod brain;
pub mod config;
mod dispatch;
mod http;
mod ingest;
mod link;
mod live;
mod metrics;
mod ops;
mod replicas;
mod shared;
mod upkeep;

pub use brain::{Brain, BrainBuilder, BrainError};
pub use http::{Dashboard, DashboardAsset, openapi_json, route_table, serve};
pub use ops::{AgentCredentials, ChainState, OpError, Operator, SetupInvite};
