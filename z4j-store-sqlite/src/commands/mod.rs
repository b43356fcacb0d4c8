//! Commands: from a person to an engine and back.

pub(crate) mod advance;
mod issue;
mod list;
mod record;

use async_trait::async_trait;
use z4j_core::id::{CommandId, LinkId, ProjectId};
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, ClaimCommands, CommandFilter, CommandRow, CommandStore,
    IssueCommand, IssueOutcome, Page, PageRequest, StoreError,
};
use z4j_core::time::Timestamp;

use crate::store::SqliteStore;

#[async_trait]
impl CommandStore for SqliteStore {
    async fn issue_command(&self, command: IssueCommand) -> Result<IssueOutcome, StoreError> {
        self.write("issue command", move |tx| issue::issue(tx, &command))
            .await
    }

    async fn claim_commands(&self, claim: ClaimCommands) -> Result<Vec<CommandRow>, StoreError> {
        self.write("claim commands", move |tx| issue::claim(tx, &claim))
            .await
    }

    async fn advance_command(&self, advance: AdvanceCommand) -> Result<AdvanceOutcome, StoreError> {
        self.write("advance command", move |tx| advance::advance(tx, &advance))
            .await
    }

    async fn lose_link(&self, link: LinkId, at: Timestamp) -> Result<Vec<CommandRow>, StoreError> {
        self.write("lose link", move |tx| advance::lose_link(tx, link, at))
            .await
    }

    async fn expire_commands(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<CommandRow>, StoreError> {
        self.write("expire commands", move |tx| advance::expire(tx, now, limit))
            .await
    }

    async fn command(
        &self,
        project: ProjectId,
        id: CommandId,
    ) -> Result<Option<CommandRow>, StoreError> {
        self.read("command", move |db| {
            let found = record::find(db, id)?;
            Ok(found
                .filter(|command| command.row.project_id == project)
                .map(|command| command.row))
        })
        .await
    }

    async fn commands(
        &self,
        project: ProjectId,
        filter: &CommandFilter,
        page: PageRequest,
    ) -> Result<Page<CommandRow>, StoreError> {
        let filter = filter.clone();
        self.read("commands", move |db| {
            list::page(db, project, &filter, &page)
        })
        .await
    }
}
