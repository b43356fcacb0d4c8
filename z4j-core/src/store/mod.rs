//! The store seam: what a database must do for the brain.
//!
//! One small trait per concern, [`Store`] over all of them. Every method is a domain operation and one transaction.
//!
//! # Contract
//! - **`Err` means unknown**: the write may have happened. Sent again with the same id it must give the first answer
//!   and have one effect.
//! - **Time is an argument.** A store must not read a clock of its own.
//! - An audit entry that comes with an effect must commit with it, or neither does.
//! - Transition logic is [`crate::task::apply`] and [`crate::command::apply`], called inside the store's transaction
//!   between reading the current row and writing it. SQL holds none.

mod announcement;
mod audit;
mod commands;
mod coordination;
pub mod cursor;
mod error;
mod events;
mod fleet;
mod identity;
mod loss;
mod page;
mod parts;
mod replicas;
mod streams;
mod task_order;
mod tasks;
mod workers;

pub use announcement::{Announcement, Heard, News};
pub use audit::{AuditStore, AuditWrite};
pub use commands::{
    AdvanceCommand, AdvanceOutcome, ClaimCommands, CommandFilter, CommandRow, CommandStore,
    IdempotencyKey, IssueCommand, IssueOutcome, RetryLink,
};
pub use coordination::{Coordination, LeaseGrant, LeaseOutcome, LeaseRequest, StoreHealth, Topic};
pub use error::{StoreError, StoreErrorKind};
pub use events::{
    EventOutcome, EventRow, EventStore, IngestBatch, IngestEvent, IngestReceipt, PoisonFrame,
    TaskChange, timeline_rank,
};
pub use fleet::{
    AgentIdentity, AgentProfile, AgentReport, AgentRow, CloseLink, DeclaredLoss, FleetStore,
    LinkRow, MintAgent, MintOutcome, OpenLink, RefusalRow, ReplaceToken, ReportBatch, RevokeAgent,
};
pub use identity::{
    CompleteSetup, CreateProject, CreateProjectOutcome, CreateUser, CreateUserOutcome, EndSession,
    IdentityStore, MembershipRow, NewSession, PasswordHash, ProjectRow, SessionRow, SetPassword,
    SetupOutcome, SetupToken, UserRow,
};
pub use loss::{latest_loss, total_loss};
pub use page::{Cursor, Page, PageRequest};
pub use parts::StoreParts;
pub use replicas::{BeatOutcome, Estate, ForgetOutcome, ForgetReplica, ReplicaBeat, ReplicaRow};
pub use streams::{StreamGap, StreamHole, StreamKey, StreamSegment};
pub use task_order::{TaskPlace, TaskSort};
pub use tasks::{
    Facet, Facets, MinuteCount, StateCount, TaskDetail, TaskFilter, TaskNode, TaskQueries,
    TaskSummary, TaskTree,
};
pub use workers::{
    DisownedWorker, QueueRow, QueueSighting, WorkerOwner, WorkerRow, WorkerSighting, WorkerState,
};

/// All that the brain asks of a database. Nobody implements it: it is there for whatever implements its parts.
pub trait Store:
    EventStore + TaskQueries + CommandStore + FleetStore + IdentityStore + AuditStore + Coordination
{
}

impl<T> Store for T where
    T: EventStore
        + TaskQueries
        + CommandStore
        + FleetStore
        + IdentityStore
        + AuditStore
        + Coordination
{
}
