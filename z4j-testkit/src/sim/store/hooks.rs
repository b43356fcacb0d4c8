//! A store with hooks around another one.

use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use z4j_core::id::{LinkId, ProjectId};
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, Announcement, BeatOutcome, ClaimCommands, CommandRow,
    ForgetOutcome, ForgetReplica, Heard, IngestBatch, IngestReceipt, IssueCommand, IssueOutcome,
    LeaseOutcome, LeaseRequest, ReplicaBeat, StateCount, Store, StoreError, StoreErrorKind,
};
use z4j_core::time::Timestamp;

/// What happens around and instead of a store's methods. Everything has the store inside do its work unless it is
/// overridden.
#[async_trait]
pub trait StoreHooks: std::fmt::Debug + Send + Sync + 'static {
    /// Before `method` runs; an `Err` is its answer, and it does not run.
    ///
    /// # Errors
    /// The fault to answer with.
    async fn before(&self, _method: &'static str, _is_write: bool) -> Result<(), StoreError> {
        Ok(())
    }

    /// After `method` succeeded; an `Err` is its answer, although it ran.
    ///
    /// # Errors
    /// The fault to answer with.
    async fn after(&self, _method: &'static str, _is_write: bool) -> Result<(), StoreError> {
        Ok(())
    }

    /// The store inside refused a write whose fencing number, or whose brain, counts no more
    /// ([`z4j_core::store::StoreErrorKind::Fenced`]).
    fn fenced(&self, _method: &'static str) {}

    /// In place of [`z4j_core::store::EventStore::ingest`].
    ///
    /// # Errors
    /// As there.
    async fn ingest(
        &self,
        store: &dyn Store,
        batch: IngestBatch,
    ) -> Result<IngestReceipt, StoreError> {
        store.ingest(batch).await
    }

    /// In place of [`z4j_core::store::TaskQueries::state_counts`].
    ///
    /// # Errors
    /// As there.
    async fn state_counts(
        &self,
        store: &dyn Store,
        project: ProjectId,
    ) -> Result<Vec<StateCount>, StoreError> {
        store.state_counts(project).await
    }

    /// In place of [`z4j_core::store::CommandStore::issue_command`].
    ///
    /// # Errors
    /// As there.
    async fn issue_command(
        &self,
        store: &dyn Store,
        command: IssueCommand,
    ) -> Result<IssueOutcome, StoreError> {
        store.issue_command(command).await
    }

    /// In place of [`z4j_core::store::CommandStore::claim_commands`].
    ///
    /// # Errors
    /// As there.
    async fn claim_commands(
        &self,
        store: &dyn Store,
        claim: ClaimCommands,
    ) -> Result<Vec<CommandRow>, StoreError> {
        store.claim_commands(claim).await
    }

    /// In place of [`z4j_core::store::CommandStore::advance_command`].
    ///
    /// # Errors
    /// As there.
    async fn advance_command(
        &self,
        store: &dyn Store,
        advance: AdvanceCommand,
    ) -> Result<AdvanceOutcome, StoreError> {
        store.advance_command(advance).await
    }

    /// In place of [`z4j_core::store::CommandStore::lose_link`].
    ///
    /// # Errors
    /// As there.
    async fn lose_link(
        &self,
        store: &dyn Store,
        link: LinkId,
        at: Timestamp,
    ) -> Result<Vec<CommandRow>, StoreError> {
        store.lose_link(link, at).await
    }

    /// In place of [`z4j_core::store::CommandStore::expire_commands`].
    ///
    /// # Errors
    /// As there.
    async fn expire_commands(
        &self,
        store: &dyn Store,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<CommandRow>, StoreError> {
        store.expire_commands(now, limit).await
    }

    /// In place of [`z4j_core::store::Coordination::forget_replica`].
    ///
    /// # Errors
    /// As there.
    async fn forget_replica(
        &self,
        store: &dyn Store,
        forget: ForgetReplica,
    ) -> Result<ForgetOutcome, StoreError> {
        store.forget_replica(forget).await
    }

    /// In place of [`z4j_core::store::Coordination::try_lease`].
    ///
    /// # Errors
    /// As there.
    async fn try_lease(
        &self,
        store: &dyn Store,
        request: LeaseRequest,
    ) -> Result<LeaseOutcome, StoreError> {
        store.try_lease(request).await
    }

    /// In place of [`z4j_core::store::Coordination::beat`].
    ///
    /// # Errors
    /// As there.
    async fn beat(&self, store: &dyn Store, beat: ReplicaBeat) -> Result<BeatOutcome, StoreError> {
        store.beat(beat).await
    }

    /// In place of [`z4j_core::store::Coordination::announce`].
    ///
    /// # Errors
    /// As there.
    async fn announce(
        &self,
        store: &dyn Store,
        announcement: Announcement,
    ) -> Result<(), StoreError> {
        store.announce(announcement).await
    }

    /// In place of [`z4j_core::store::Coordination::announcements`].
    fn announcements(&self, store: &dyn Store) -> BoxStream<'static, Heard> {
        store.announcements()
    }
}

/// A store with hooks around another one.
#[derive(Clone, Debug)]
pub struct HookedStore {
    pub(super) inner: Arc<dyn Store>,
    pub(super) hooks: Arc<dyn StoreHooks>,
}

impl HookedStore {
    /// `inner`, with `hooks` around it.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, hooks: impl StoreHooks) -> Self {
        Self {
            inner,
            hooks: Arc::new(hooks),
        }
    }

    /// Tells the hooks of an answer that is a refusal by fencing.
    pub(super) fn seen<T>(
        &self,
        method: &'static str,
        answer: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        answer.inspect_err(|error| {
            if error.kind() == StoreErrorKind::Fenced {
                self.hooks.fenced(method);
            }
        })
    }
}
