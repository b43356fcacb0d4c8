//! What layer T checks, it finds: stores with a bug, each of which a seed or two must uncover.
#![cfg(feature = "tcp")]
#![allow(
    clippy::unwrap_used,
    reason = "what a helper of a test cannot do fails the test"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use z4j_core::id::{CommandId, EventId, LinkId, ProjectId, TaskKey};
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, ClaimCommands, CommandFilter, CommandRow, CommandStore,
    EventOutcome, EventRow, EventStore, IngestBatch, IngestReceipt, IssueCommand, IssueOutcome,
    Page, PageRequest, StoreError, StoreParts, StreamGap, StreamKey,
};
use z4j_core::time::Timestamp;
use z4j_testkit::mem::MemStore;
use z4j_testkit::tcp::TcpSim;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// Now and then a batch is confirmed and not written.
    ForgetsBatches,
    /// Now and then an event gets an identity that no resend has.
    MintsIdentities,
    /// A command that was handed out is handed out once more.
    HandsOutTwice,
    /// Overdue commands are left alone.
    NeverExpires,
}

/// One batch in so many is spoilt.
const SPOILT: u64 = 40;

#[derive(Debug)]
struct Planted {
    inner: Arc<MemStore>,
    bug: Bug,
    calls: AtomicU64,
    handed_out: Mutex<Vec<CommandRow>>,
}

#[async_trait]
impl EventStore for Planted {
    async fn ingest(&self, mut batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let is_spoilt = call % SPOILT == SPOILT - 1;
        match self.bug {
            Bug::ForgetsBatches if is_spoilt => {
                let outcomes = vec![EventOutcome::Inserted; batch.events.len()];
                batch.events.clear();
                let receipt = self.inner.ingest(batch).await?;
                return Ok(IngestReceipt {
                    outcomes,
                    ..receipt
                });
            }
            Bug::MintsIdentities if is_spoilt => {
                for (event, minted) in batch.events.iter_mut().zip(call << 32..) {
                    event.id = EventId::from_u128(u128::from(minted));
                }
            }
            _ => {}
        }
        self.inner.ingest(batch).await
    }

    async fn task_events(
        &self,
        project: ProjectId,
        task: &TaskKey,
        page: PageRequest,
    ) -> Result<Page<EventRow>, StoreError> {
        self.inner.task_events(project, task, page).await
    }

    async fn stream_position(&self, stream: StreamKey) -> Result<u64, StoreError> {
        self.inner.stream_position(stream).await
    }

    async fn stream_gaps(
        &self,
        stream: StreamKey,
        limit: u32,
    ) -> Result<Vec<StreamGap>, StoreError> {
        self.inner.stream_gaps(stream, limit).await
    }
}

#[async_trait]
impl CommandStore for Planted {
    async fn issue_command(&self, command: IssueCommand) -> Result<IssueOutcome, StoreError> {
        self.inner.issue_command(command).await
    }

    async fn claim_commands(&self, claim: ClaimCommands) -> Result<Vec<CommandRow>, StoreError> {
        let agent = claim.agent_id;
        let mut claimed = self.inner.claim_commands(claim).await?;
        if self.bug == Bug::HandsOutTwice {
            let mut before = self.handed_out.lock().unwrap();
            let (again, kept) = std::mem::take(&mut *before)
                .into_iter()
                .partition(|command| command.agent_id == agent);
            *before = kept;
            before.extend(claimed.iter().cloned());
            let again: Vec<CommandRow> = again;
            claimed.extend(again);
        }
        Ok(claimed)
    }

    async fn advance_command(&self, advance: AdvanceCommand) -> Result<AdvanceOutcome, StoreError> {
        self.inner.advance_command(advance).await
    }

    async fn lose_link(&self, link: LinkId, at: Timestamp) -> Result<Vec<CommandRow>, StoreError> {
        self.inner.lose_link(link, at).await
    }

    async fn expire_commands(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<CommandRow>, StoreError> {
        if self.bug == Bug::NeverExpires {
            return Ok(Vec::new());
        }
        self.inner.expire_commands(now, limit).await
    }

    async fn command(
        &self,
        project: ProjectId,
        id: CommandId,
    ) -> Result<Option<CommandRow>, StoreError> {
        self.inner.command(project, id).await
    }

    async fn commands(
        &self,
        project: ProjectId,
        filter: &CommandFilter,
        page: PageRequest,
    ) -> Result<Page<CommandRow>, StoreError> {
        self.inner.commands(project, filter, page).await
    }
}

/// Runs two seeds on a store with `bug`; one of them must say `complaint`.
fn finds(bug: Bug, complaint: &str) {
    let complained = (1..=2).any(|seed| {
        let inner = Arc::new(MemStore::new());
        let planted = Arc::new(Planted {
            inner: Arc::clone(&inner),
            bug,
            calls: AtomicU64::new(0),
            handed_out: Mutex::default(),
        });
        let store = StoreParts::of(&inner)
            .with_events(Arc::<Planted>::clone(&planted))
            .with_commands(planted);
        let report = TcpSim::new(seed).with_store(Arc::new(store)).run().unwrap();
        println!("{report}");
        report
            .violations
            .iter()
            .any(|violation| violation.contains(complaint))
    });
    assert!(complained, "{bug:?} was not found");
}

#[test]
fn a_store_that_confirms_what_it_did_not_write_is_found() {
    finds(Bug::ForgetsBatches, "which is not stored");
}

#[test]
fn a_store_that_gives_a_resend_another_identity_is_found() {
    finds(Bug::MintsIdentities, "was never observed");
}

#[test]
fn a_store_that_hands_a_command_out_twice_is_found() {
    finds(Bug::HandsOutTwice, "was written twice");
}

#[test]
fn a_store_that_leaves_overdue_commands_alone_is_found() {
    finds(Bug::NeverExpires, "still");
}
