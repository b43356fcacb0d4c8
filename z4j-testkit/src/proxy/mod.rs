//! Layer R: a TCP proxy for real processes that cuts, delays, throttles, half-closes and swallows, as a seed decides.
//!
//! It stands between agents and a brain, or between a brain and its database, and needs no rights and no kernel module.
//! Each connection meets one fault at most, drawn from the seed and the connection's number, so that the same seed gives
//! the n-th connection the same fault. Buffers are bounded, and the proxy stops when it is dropped or its time is over.
//!
//! ```
//! use z4j_testkit::proxy::{FaultKind, FaultyProxy, ProxyPlan};
//!
//! # async fn script(database: std::net::SocketAddr) -> std::io::Result<()> {
//! // Every connection is cut somewhere in its first 128 KiB.
//! let plan = ProxyPlan::seeded(7).with_mean_bytes(64 << 10).with_only(&[FaultKind::Cut]);
//! let proxy = FaultyProxy::start(database, plan).await?;
//! let url = format!("postgres://z4j@{}/z4j", proxy.addr());
//! // … work through `url` …
//! proxy.set_plan(ProxyPlan::transparent());
//! proxy.cut_all();
//! // … everything must recover …
//! assert!(proxy.counts().cuts > 0);
//! # drop(url);
//! # Ok(())
//! # }
//! ```

mod chance;
mod connection;
mod plan;
mod server;

pub use chance::Chance;
pub use plan::{FaultKind, ProxyFault, ProxyPlan, Way};
pub use server::{FaultyProxy, ProxyCounts};
