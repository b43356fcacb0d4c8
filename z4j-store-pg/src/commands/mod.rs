//! Commands: from a person to an engine and back.

pub(crate) mod advance;
mod heads;
pub(crate) mod issue;
mod list;
mod record;

use async_trait::async_trait;
use z4j_core::id::{CommandId, LinkId, ProjectId};
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, ClaimCommands, CommandFilter, CommandRow, CommandStore,
    IssueCommand, IssueOutcome, Page, PageRequest, StoreError,
};
use z4j_core::time::Timestamp;

pub(crate) use heads::Heads;

use crate::store::PgStore;

#[async_trait]
impl CommandStore for PgStore {
    async fn issue_command(&self, command: IssueCommand) -> Result<IssueOutcome, StoreError> {
        let heads = &self.inner.heads;
        let turn = heads.enter();
        if turn.is_alone && command.claim_for.is_some() {
            let request = (&command, heads);
            let alone = self.write_alone("issue command", &request, |db, request| {
                Box::pin(issue::issue_alone(db, *request))
            });
            if let Some(outcome) = alone.await? {
                return Ok(outcome);
            }
        }
        self.write("issue command", &command, |db, command| {
            Box::pin(issue::issue(db, command))
        })
        .await
    }

    async fn claim_commands(&self, claim: ClaimCommands) -> Result<Vec<CommandRow>, StoreError> {
        self.write("claim commands", &claim, |db, claim| {
            Box::pin(issue::claim(db, claim))
        })
        .await
    }

    async fn advance_command(&self, advance: AdvanceCommand) -> Result<AdvanceOutcome, StoreError> {
        if advance.retry_link.is_none() && advance.audit.is_none() {
            let alone = self.write_alone("advance command", &advance, |db, advance| {
                Box::pin(advance::advance_alone(db, advance))
            });
            if let Some(outcome) = alone.await? {
                return Ok(outcome);
            }
        }
        self.write("advance command", &advance, |db, advance| {
            Box::pin(advance::advance(db, advance))
        })
        .await
    }

    async fn lose_link(&self, link: LinkId, at: Timestamp) -> Result<Vec<CommandRow>, StoreError> {
        self.write("lose link", &(link, at), |db, (link, at)| {
            Box::pin(advance::lose_link(db, *link, *at))
        })
        .await
    }

    async fn expire_commands(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<CommandRow>, StoreError> {
        self.write("expire commands", &(now, limit), |db, (now, limit)| {
            Box::pin(advance::expire(db, *now, *limit))
        })
        .await
    }

    async fn command(
        &self,
        project: ProjectId,
        id: CommandId,
    ) -> Result<Option<CommandRow>, StoreError> {
        self.read("command", &(project, id), |db, (project, id)| {
            Box::pin(record::of_project(db, *project, *id))
        })
        .await
    }

    async fn commands(
        &self,
        project: ProjectId,
        filter: &CommandFilter,
        page: PageRequest,
    ) -> Result<Page<CommandRow>, StoreError> {
        self.read(
            "commands",
            &(project, filter, page),
            |db, (project, filter, page)| Box::pin(list::page(db, *project, filter, page)),
        )
        .await
    }
}
