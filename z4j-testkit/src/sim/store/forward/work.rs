//! Commands and what brains need of each other, with hooks.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use z4j_core::id::{CommandId, LinkId, ProjectId};
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, Announcement, BeatOutcome, ClaimCommands, CommandFilter,
    CommandRow, CommandStore, Coordination, ForgetOutcome, ForgetReplica, Heard, IssueCommand,
    IssueOutcome, LeaseGrant, LeaseOutcome, LeaseRequest, Page, PageRequest, ReplicaBeat,
    StoreError, StoreHealth, Topic,
};
use z4j_core::time::Timestamp;

use crate::sim::store::HookedStore;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl CommandStore for HookedStore {
    async fn issue_command(&self, command: IssueCommand) -> Result<IssueOutcome, StoreError> {
        self.hooks.before("issue_command", true).await?;
        let done = self.hooks.issue_command(&*self.inner, command).await?;
        self.hooks.after("issue_command", true).await?;
        Ok(done)
    }

    async fn claim_commands(&self, claim: ClaimCommands) -> Result<Vec<CommandRow>, StoreError> {
        self.hooks.before("claim_commands", true).await?;
        let done = self.hooks.claim_commands(&*self.inner, claim).await?;
        self.hooks.after("claim_commands", true).await?;
        Ok(done)
    }

    async fn advance_command(&self, advance: AdvanceCommand) -> Result<AdvanceOutcome, StoreError> {
        self.hooks.before("advance_command", true).await?;
        let done = self.hooks.advance_command(&*self.inner, advance).await?;
        self.hooks.after("advance_command", true).await?;
        Ok(done)
    }

    async fn lose_link(&self, link: LinkId, at: Timestamp) -> Result<Vec<CommandRow>, StoreError> {
        self.hooks.before("lose_link", true).await?;
        let done = self.hooks.lose_link(&*self.inner, link, at).await?;
        self.hooks.after("lose_link", true).await?;
        Ok(done)
    }

    async fn expire_commands(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<CommandRow>, StoreError> {
        self.hooks.before("expire_commands", true).await?;
        let done = self.hooks.expire_commands(&*self.inner, now, limit).await?;
        self.hooks.after("expire_commands", true).await?;
        Ok(done)
    }

    async fn command(
        &self,
        project: ProjectId,
        id: CommandId,
    ) -> Result<Option<CommandRow>, StoreError> {
        self.hooks.before("command", false).await?;
        let done = self.inner.command(project, id).await?;
        self.hooks.after("command", false).await?;
        Ok(done)
    }

    async fn commands(
        &self,
        project: ProjectId,
        filter: &CommandFilter,
        page: PageRequest,
    ) -> Result<Page<CommandRow>, StoreError> {
        self.hooks.before("commands", false).await?;
        let done = self.inner.commands(project, filter, page).await?;
        self.hooks.after("commands", false).await?;
        Ok(done)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Coordination for HookedStore {
    async fn beat(&self, beat: ReplicaBeat) -> Result<BeatOutcome, StoreError> {
        self.hooks.before("beat", true).await?;
        let done = self.hooks.beat(&*self.inner, beat).await?;
        self.hooks.after("beat", true).await?;
        Ok(done)
    }

    async fn forget_replica(&self, forget: ForgetReplica) -> Result<ForgetOutcome, StoreError> {
        self.hooks.before("forget_replica", true).await?;
        let done = self.hooks.forget_replica(&*self.inner, forget).await?;
        self.hooks.after("forget_replica", true).await?;
        Ok(done)
    }

    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError> {
        self.hooks.before("try_lease", true).await?;
        let taken = self.hooks.try_lease(&*self.inner, request).await;
        let done = self.seen("try_lease", taken)?;
        self.hooks.after("try_lease", true).await?;
        Ok(done)
    }

    async fn maintain(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.hooks.before("maintain", true).await?;
        let done = self.seen("maintain", self.inner.maintain(grant, now).await)?;
        self.hooks.after("maintain", true).await?;
        Ok(done)
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        self.hooks.before("announce", true).await?;
        let done = self.hooks.announce(&*self.inner, announcement).await?;
        self.hooks.after("announce", true).await?;
        Ok(done)
    }

    fn announcements(&self) -> BoxStream<'static, Heard> {
        self.hooks.announcements(&*self.inner)
    }

    fn wakeups(&self, topic: Topic) -> BoxStream<'static, ()> {
        self.inner.wakeups(topic)
    }

    async fn probe(&self, now: Timestamp) -> Result<StoreHealth, StoreError> {
        self.hooks.before("probe", true).await?;
        let done = self.inner.probe(now).await?;
        self.hooks.after("probe", true).await?;
        Ok(done)
    }
}
