//! What brains that share a store need of each other.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use super::{
    Announcement, BeatOutcome, ForgetOutcome, ForgetReplica, Heard, ReplicaBeat, StoreError,
};
use crate::id::ReplicaId;
use crate::time::Timestamp;

/// Who lives, who does what, and who tells whom.
#[async_trait]
pub trait Coordination: Debug + Send + Sync + 'static {
    /// Adds one to a brain's beat and answers all brains that the store knows.
    ///
    /// # Contract
    /// A brain that is not known and does not say that this is its first beat must not become known by it.
    ///
    /// # Errors
    /// Any [`StoreError`]; a beat may have been counted, which says no more than the truth.
    async fn beat(&self, beat: ReplicaBeat) -> Result<BeatOutcome, StoreError>;

    /// Buries a brain, if its beat is still the one that was seen: closes its links as [`super::FleetStore::close_links`]
    /// does, tells the commands in flight on them as [`super::CommandStore::lose_link`] does, frees its leases, and forgets it.
    ///
    /// # Contract
    /// All of it in one transaction, which also excludes that a link of the brain opens beside it. The fencing number of a
    /// freed lease grows, so that nothing the brain still sends under it counts. A repeated burial finds nobody.
    /// After the commit the store wakes [`Topic::Commands`].
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn forget_replica(&self, forget: ForgetReplica) -> Result<ForgetOutcome, StoreError>;

    /// Takes or renews a lease.
    ///
    /// # Contract
    /// At most one holder until `now + ttl`; the fencing number grows each time the holder changes. A renewal sets the end
    /// anew, also to an earlier time. Whatever its end, a lease whose holder the store does not know is free: a clock that
    /// was far ahead must not keep a lease beyond its holder's life.
    ///
    /// # Errors
    /// [`super::StoreErrorKind::Fenced`] when the store does not know who asks; else any [`StoreError`]: the caller does
    /// not hold the lease.
    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError>;

    /// Does what the database itself needs now and then, such as making partitions ahead of time. Answers what an operator
    /// should know, in sentences; empty when all is well.
    ///
    /// # Errors
    /// [`super::StoreErrorKind::Fenced`] when `grant` is not the current one; else any [`StoreError`].
    async fn maintain(&self, grant: &LeaseGrant, now: Timestamp)
    -> Result<Vec<String>, StoreError>;

    /// Tells all brains something, in a transaction of its own.
    ///
    /// # Contract
    /// May be heard twice when it is sent again after an `Err`. May be lost: who listens counts the numbers.
    ///
    /// # Errors
    /// Any [`StoreError`]; it may have been heard. `Internal` when it does not fit ([`Announcement::encode`]).
    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError>;

    /// What is announced from now on.
    ///
    /// # Contract
    /// Where announcements may have passed unheard (a lost connection, a reader that was too slow, a text that cannot be
    /// read), [`Heard::MayHaveMissed`] comes in their place, at the latest when announcements can be heard again. The
    /// stream ends only with the store.
    fn announcements(&self) -> BoxStream<'static, Heard>;

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
    /// A person's session ended, or a person's rights may have changed.
    People,
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

/// The right to do something alone. Writes take it and check it in their transaction: a holder that slept is refused by
/// the number, not by its clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseGrant {
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub holder: ReplicaId,
    /// Grows with each change of holder.
    pub fence: u64,
}

/// Whether a lease was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum LeaseOutcome {
    /// The caller holds it.
    Held(LeaseGrant),
    /// Another holds it until then, by the clock of that one.
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
