//! The brains that share a store: who lives, and what becomes of what the others leave behind.

use super::{CommandRow, WorkerRow};
use crate::id::ReplicaId;
use crate::time::Timestamp;

/// A brain says that it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaBeat {
    /// The brain.
    pub replica: ReplicaId,
    /// It makes itself known. Otherwise it must be known already: a brain that the others buried has to learn of it.
    pub is_first: bool,
    /// The number of the latest announcement that it tried to make; 0 before the first one.
    pub announced: u64,
    /// Its clock. Kept, so that the others see how far theirs is from it.
    pub now: Timestamp,
}

/// What a beat is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum BeatOutcome {
    /// Every brain that the store knows, in the order of their ids; the one that asked is among them.
    Alive(Vec<ReplicaRow>),
    /// The store does not know the brain: it was buried. Nothing was written.
    Buried,
}

/// A brain that the store knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaRow {
    /// The brain.
    pub replica: ReplicaId,
    /// Grows with each of its beats. A brain whose number stands still is judged by those who watch, with their own
    /// monotonic clocks; no two wall clocks are ever compared.
    pub beat: u64,
    /// The number of its latest announcement.
    pub announced: u64,
    /// When it made itself known, by its own clock.
    pub started_at: Timestamp,
    /// What its clock showed at its latest beat.
    pub clock: Timestamp,
    /// The store is sure that its process has ended, so that nobody has to watch it first. A store that only one process
    /// at a time can use knows that of all that were before.
    pub is_gone: bool,
}

/// A brain to bury.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgetReplica {
    /// Which.
    pub replica: ReplicaId,
    /// Only if its beat is still this one.
    pub beat: u64,
    /// When.
    pub at: Timestamp,
}

/// What became of a brain to bury.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum ForgetOutcome {
    /// It is gone, and with it what it left.
    Forgotten(Estate),
    /// It had another beat by then. Nothing was written.
    Lives,
    /// The store does not know it, or not any more.
    Unknown,
}

/// What changed with the end of a brain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estate {
    /// How many links it held.
    pub links: u64,
    /// The workers that only those links vouched for, offline now.
    pub workers: Vec<WorkerRow>,
    /// The commands in flight on those links that changed.
    pub commands: Vec<CommandRow>,
    /// The leases that it held, free now.
    pub leases: Vec<String>,
}
