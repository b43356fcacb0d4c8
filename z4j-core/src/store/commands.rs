//! Commands: from a person to an engine and back.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{AuditWrite, Page, PageRequest, StoreError};
use crate::command::{CommandInput, CommandState, is_of_another_try};
use crate::id::{AgentId, CommandId, LinkId, ProjectId, TaskKey, UserId};
use crate::time::Timestamp;

/// Keeps commands. Every change of state goes through [`crate::command::apply`].
#[async_trait]
pub trait CommandStore: Debug + Send + Sync + 'static {
    /// Writes a pending command and its audit entry; with [`IssueCommand::claim_for`] a claim too, in one transaction.
    ///
    /// # Contract
    /// The same `id` again, or the same idempotency key with the same digest, must answer the first row.
    /// A command that is pending wakes [`super::Topic::Commands`] after the commit. One that was claimed is `dispatched` in
    /// the answer, as [`Self::claim_commands`] would have left it, and only the caller that is told `Issued` may send it.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn issue_command(&self, command: IssueCommand) -> Result<IssueOutcome, StoreError>;

    /// Moves pending commands of an agent to `dispatched` and hands them out, oldest first.
    ///
    /// # Contract
    /// A command is handed out once, whatever the number of callers (compare and set); one past its deadline is not. A link
    /// that is not open in the store is handed nothing: whoever claims for it may count as dead.
    ///
    /// # Errors
    /// Any [`StoreError`]: what was claimed is unknown and must be left to the deadline.
    async fn claim_commands(&self, claim: ClaimCommands) -> Result<Vec<CommandRow>, StoreError>;

    /// Feeds an input to one command.
    ///
    /// # Contract
    /// A command of another agent than `agent_id` (when given) must not change, nor one by what [`AdvanceCommand::is_past`]. `retry_link` is stored with the change.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn advance_command(&self, advance: AdvanceCommand) -> Result<AdvanceOutcome, StoreError>;

    /// Tells every command in flight on `link` that the link is gone; answers those that changed.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn lose_link(&self, link: LinkId, at: Timestamp) -> Result<Vec<CommandRow>, StoreError>;

    /// Feeds [`CommandInput::DeadlineReached`] to commands whose deadline is at or before `now`, at most `limit`.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn expire_commands(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<CommandRow>, StoreError>;

    /// One command of a project.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn command(
        &self,
        project: ProjectId,
        id: CommandId,
    ) -> Result<Option<CommandRow>, StoreError>;

    /// A page of commands, latest first.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn commands(
        &self,
        project: ProjectId,
        filter: &CommandFilter,
        page: PageRequest,
    ) -> Result<Page<CommandRow>, StoreError>;
}

/// A caller's own name for a write, so that it can send it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller's text, at most [`crate::limits::IDEMPOTENCY_KEY_BYTES_MAX`].
    pub key: String,
    /// SHA-256 of the canonical request, to tell a repeat from another request.
    pub digest: [u8; 32],
}

/// A command to write.
#[derive(Clone, Debug)]
pub struct IssueCommand {
    /// Its id.
    pub id: CommandId,
    /// The tenant.
    pub project_id: ProjectId,
    /// Who shall carry it out.
    pub agent_id: AgentId,
    /// The person behind it.
    pub issued_by: Option<UserId>,
    /// The wire action, such as `retry_task`.
    pub action: String,
    /// What it is about, such as `task`.
    pub target_type: String,
    /// Which one: `engine:task_id` for a task.
    pub target_id: String,
    /// The wire parameters as a JSON object.
    pub payload: String,
    /// For repeats by the caller.
    pub idempotency: Option<IdempotencyKey>,
    /// When it was asked for.
    pub issued_at: Timestamp,
    /// When it ends if nothing is heard.
    pub timeout_at: Timestamp,
    /// The link that it is claimed for at once, at `issued_at`. The command stays pending when that is not an open link of
    /// its agent.
    pub claim_for: Option<LinkId>,
    /// Written with it.
    pub audit: AuditWrite,
}

/// What became of a command to write.
#[derive(Clone, Debug)]
#[must_use]
pub enum IssueOutcome {
    /// Written now.
    Issued(CommandRow),
    /// Was written before by the same request.
    Repeated(CommandRow),
    /// The key belongs to another request.
    KeyReused,
}

/// Who asks for commands to send.
#[derive(Clone, Debug)]
pub struct ClaimCommands {
    /// Whose commands.
    pub agent_id: AgentId,
    /// The link they will be written to.
    pub link_id: LinkId,
    /// The engines that the link's process serves; a command whose payload names another engine is left.
    pub engines: Vec<String>,
    /// Only these commands, for a caller that chose the link for each of them.
    pub only: Option<Vec<CommandId>>,
    /// The time of the claim.
    pub now: Timestamp,
    /// Commands at most.
    pub limit: u32,
}

/// An input to one command's machine.
#[derive(Clone, Debug)]
pub struct AdvanceCommand {
    /// Which command.
    pub id: CommandId,
    /// Refuse unless the command is this agent's.
    pub agent_id: Option<AgentId>,
    /// The link on which the agent said so.
    pub heard_on: Option<LinkId>,
    /// What happened.
    pub input: CommandInput,
    /// The redacted result as JSON text.
    pub result: Option<String>,
    /// The redacted error text.
    pub error: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The family link that a finished retry made.
    pub retry_link: Option<RetryLink>,
    /// Written with the change, when there is one.
    pub audit: Option<AuditWrite>,
}

impl AdvanceCommand {
    /// Whether it was heard of an earlier try of the command `row`, which `link` has now, and changes nothing.
    #[must_use]
    pub fn is_past(&self, row: &CommandRow, link: Option<LinkId>) -> bool {
        let is_its_link = self.heard_on.is_none_or(|heard_on| link == Some(heard_on));
        is_of_another_try(row.state, &row.action, self.input, is_its_link)
    }
}

/// `retry` is a person's retry of `original`. Either task may be unknown to the brain yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryLink {
    /// The task that was retried.
    pub original: TaskKey,
    /// The new task's id in the same engine.
    pub retry_task_id: String,
}

/// What an input did.
#[derive(Clone, Debug)]
#[must_use]
pub enum AdvanceOutcome {
    /// The command changed.
    Advanced(CommandRow),
    /// The input said nothing new, or came too late.
    Absorbed(CommandRow),
    /// No such command for this agent.
    NotFound,
}

/// A stored command.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandRow {
    /// Its id.
    pub id: CommandId,
    /// The tenant.
    pub project_id: ProjectId,
    /// Who carries it out.
    pub agent_id: AgentId,
    /// The person behind it.
    pub issued_by: Option<UserId>,
    /// That person's name when the command was issued.
    pub issued_by_name: Option<String>,
    /// The wire action.
    pub action: String,
    /// What it is about.
    pub target_type: String,
    /// Which one.
    pub target_id: String,
    /// The wire parameters as a JSON object.
    pub payload: String,
    /// Where it stands.
    pub state: CommandState,
    /// The result as JSON text.
    pub result: Option<String>,
    /// The error text.
    pub error: Option<String>,
    /// When it was asked for.
    pub issued_at: Timestamp,
    /// When it was handed to a link.
    pub dispatched_at: Option<Timestamp>,
    /// When the agent said that it has it.
    pub acknowledged_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When it ends if nothing is heard.
    pub timeout_at: Timestamp,
}

/// Which commands are wanted. Empty members do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandFilter {
    /// In this state.
    pub state: Option<CommandState>,
    /// With this action.
    pub action: Option<String>,
    /// About this target.
    pub target_id: Option<String>,
}
