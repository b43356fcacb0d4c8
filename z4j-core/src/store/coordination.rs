//! What brains that share a store need of each other.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use super::StoreError;
use crate::id::ReplicaId;
use crate::time::Timestamp;

/// Leases, wake-ups and health.
#[async_trait]
pub trait Coordination: Debug + Send + Sync + 'static {
    /// Takes or renews a lease.
    ///
    /// # Contract
    /// At most one holder until `now + ttl`; the fencing number grows each time the holder changes.
    ///
    /// # Errors
    /// Any [`StoreError`]: the caller does not hold the lease.
    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError>;

    /// Hints that something of `topic` changed. A hint may be lost or repeated: it costs latency, never a command.
    fn wakeups(&self, topic: Topic) -> BoxStream<'static, ()>;

    /// Proves that the store takes a durable write now.
    ///
    /// # Errors
    /// Any [`StoreError`], whose kind says why not.
    async fn probe(&self, now: Timestamp) -> Result<StoreHealth, StoreError>;
}

/// What a wake-up is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// A command may be pending.
    Commands,
    /// An agent's rights may have changed.
    Agents,
}

/// A lease to take or renew.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// What the lease is for, such as `upkeep`.
    pub name: String,
    /// Who asks.
    pub holder: ReplicaId,
    /// How long it shall last from `now`.
    pub ttl: Duration,
    /// The caller's clock.
    pub now: Timestamp,
}

/// Whether a lease was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum LeaseOutcome {
    /// The caller holds it.
    Held {
        /// Grows with each change of holder.
        fence: u64,
    },
    /// Another holds it until then.
    Taken {
        /// When it lapses.
        until: Timestamp,
    },
}

/// What a healthy store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// The kind of database, such as `sqlite`.
    pub backend: &'static str,
    /// Weaker promises than the contract asks for, in words; empty when there are none.
    pub warnings: Vec<String>,
}
