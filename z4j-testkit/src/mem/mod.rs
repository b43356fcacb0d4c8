//! The reference store: every trait of the store seam over plain maps, to read and to test against.
//!
//! Whoever writes a store can read here what each method must do, without SQL in the way: one lock is the transaction,
//! one file is one trait. It keeps nothing beyond the process and looks at every row for every query.
//!
//! ```
//! use z4j_core::store::{IdentityStore, StoreErrorKind};
//! use z4j_core::time::Timestamp;
//! use z4j_testkit::mem::{Failpoint, MemStore};
//!
//! # async fn example() -> Result<(), z4j_core::store::StoreError> {
//! let store = MemStore::default();
//! assert!(!store.has_users().await?);
//!
//! // A store may fail at the worst time: here after the write, before its answer.
//! store.fail_next(Failpoint::AfterCommit);
//! let token = z4j_core::store::SetupToken { token: "t".to_owned(), expires_at: Timestamp::LATEST };
//! let fault = store.put_setup_token(token.clone()).await.unwrap_err();
//! assert_eq!(fault.kind(), StoreErrorKind::Unavailable);
//! assert_eq!(store.setup_token().await?, Some(token));
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
//! ```

mod agents;
mod audit;
mod commands;
mod coordination;
mod cursor;
mod db;
mod events;
mod failpoint;
mod fleet;
mod identity;
mod reports;
mod sessions;
mod streams;
mod tasks;
mod workers;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;
use z4j_core::id::ProjectId;
use z4j_core::store::{PoisonFrame, StoreError, StoreErrorKind, Topic};

pub use failpoint::{Failpoint, Gate};

use db::Db;
use failpoint::Failpoints;

/// Hints that may wait for a slow subscriber; more are lost, as the seam allows.
const WAKEUPS_MAX: usize = 64;

/// Announcements that may wait for a slow listener; it is told when more are lost.
const ANNOUNCEMENTS_MAX: usize = 1024;

/// A store in memory.
#[derive(Debug)]
pub struct MemStore {
    db: Mutex<Db>,
    failpoints: Failpoints,
    wakeups: broadcast::Sender<Topic>,
    announcements: broadcast::Sender<String>,
}

impl Default for MemStore {
    fn default() -> Self {
        Self {
            db: Mutex::default(),
            failpoints: Failpoints::default(),
            wakeups: broadcast::Sender::new(WAKEUPS_MAX),
            announcements: broadcast::Sender::new(ANNOUNCEMENTS_MAX),
        }
    }
}

impl MemStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next write that no other failpoint waits for go wrong. Failpoints wait in the order given.
    pub fn fail_next(&self, failpoint: Failpoint) {
        self.failpoints.add(None, failpoint);
    }

    /// Makes the next call of one method go wrong, whatever else is written meanwhile.
    ///
    /// `method` is a writing method's name, such as `"ingest"`.
    pub fn fail_next_in(&self, method: &'static str, failpoint: Failpoint) {
        self.failpoints.add(Some(method), failpoint);
    }

    /// Forgets the failpoints that no write has come to yet.
    pub fn clear_failpoints(&self) {
        self.failpoints.clear();
    }

    /// What a project has in the quarantine, oldest first. The seam has no reader of it.
    #[must_use]
    pub fn quarantine(&self, project: ProjectId) -> Vec<PoisonFrame> {
        self.lock()
            .quarantine
            .get(&project)
            .cloned()
            .unwrap_or_default()
    }

    /// Lets a person sign in, or no longer. The seam has no writer of it.
    pub fn set_user_active(&self, user: z4j_core::id::UserId, is_active: bool) {
        if let Some(row) = self.lock().users.get_mut(&user) {
            row.is_active = is_active;
        }
    }

    /// Runs one transaction. Nothing in `run` can fail, so all of it happens or, at a failpoint, none.
    async fn write<T: Send>(
        &self,
        method: &'static str,
        run: impl FnOnce(&mut Db) -> T + Send,
    ) -> Result<T, StoreError> {
        let failpoint = self.failpoints.take(method);
        match &failpoint {
            Some(Failpoint::BeforeCommit) => return Err(fault(method)),
            Some(Failpoint::Stall(gate)) => gate.pass().await,
            Some(Failpoint::AfterCommit) | None => {}
        }
        let done = run(&mut self.lock());
        match failpoint {
            Some(Failpoint::AfterCommit) => Err(fault(method)),
            _ => Ok(done),
        }
    }

    fn read<T>(&self, run: impl FnOnce(&Db) -> T) -> T {
        run(&self.lock())
    }

    /// A test that panicked inside a transaction has failed already; others may go on.
    fn lock(&self) -> MutexGuard<'_, Db> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hint: it does not matter whether anybody listens.
    fn wake(&self, topic: Topic) {
        let _nobody_listens = self.wakeups.send(topic);
    }
}

fn fault(method: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, method)
}
