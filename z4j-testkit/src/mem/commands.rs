//! Commands: from a person to an engine and back.

use async_trait::async_trait;
use serde_json::Value;
use z4j_core::command::{CommandInput, CommandState, CommandVerdict, apply, is_safe_to_resend};
use z4j_core::id::{CommandId, LinkId, ProjectId, TaskKey};
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, ClaimCommands, CommandFilter, CommandRow, CommandStore,
    IssueCommand, IssueOutcome, Page, PageRequest, RetryLink, StoreError, Topic,
};
use z4j_core::time::Timestamp;

use super::audit::append;
use super::db::{Command, Db, Retry};
use super::{MemStore, cursor};

#[async_trait]
impl CommandStore for MemStore {
    async fn issue_command(&self, command: IssueCommand) -> Result<IssueOutcome, StoreError> {
        let outcome = self.write("issue_command", |db| issue(db, command)).await;
        self.wake(Topic::Commands);
        outcome
    }

    async fn claim_commands(&self, claim: ClaimCommands) -> Result<Vec<CommandRow>, StoreError> {
        self.write("claim_commands", |db| self::claim(db, &claim))
            .await
    }

    async fn advance_command(&self, advance: AdvanceCommand) -> Result<AdvanceOutcome, StoreError> {
        self.write("advance_command", |db| self::advance(db, advance))
            .await
    }

    async fn lose_link(&self, link: LinkId, at: Timestamp) -> Result<Vec<CommandRow>, StoreError> {
        let changed = self
            .write("lose_link", |db| self::lose_link(db, link, at))
            .await;
        self.wake(Topic::Commands);
        changed
    }

    async fn expire_commands(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<CommandRow>, StoreError> {
        self.write("expire_commands", |db| expire(db, now, limit))
            .await
    }

    async fn command(
        &self,
        project: ProjectId,
        id: CommandId,
    ) -> Result<Option<CommandRow>, StoreError> {
        Ok(self.read(|db| {
            let found = db
                .commands
                .get(&id)
                .filter(|command| command.row.project_id == project);
            found.map(|command| command.row.clone())
        }))
    }

    async fn commands(
        &self,
        project: ProjectId,
        filter: &CommandFilter,
        page: PageRequest,
    ) -> Result<Page<CommandRow>, StoreError> {
        let query = format!("commands {project} {filter:?}");
        self.read(|db| {
            let rows = db.commands.values().map(|command| &command.row);
            let mut wanted: Vec<CommandRow> = rows
                .filter(|row| row.project_id == project && matches(filter, row))
                .cloned()
                .collect();
            let place = |row: &CommandRow| (row.issued_at.as_micros(), row.id);
            wanted.sort_by_key(|row| std::cmp::Reverse(place(row)));
            cursor::cut(wanted, &query, &page, place, |row, after| {
                place(row) < *after
            })
        })
    }
}

fn matches(filter: &CommandFilter, row: &CommandRow) -> bool {
    filter.state.is_none_or(|state| row.state == state)
        && filter
            .action
            .as_ref()
            .is_none_or(|action| row.action == *action)
        && filter
            .target_id
            .as_ref()
            .is_none_or(|target| row.target_id == *target)
}

fn issue(db: &mut Db, command: IssueCommand) -> IssueOutcome {
    if let Some(known) = db.commands.get(&command.id) {
        return IssueOutcome::Repeated(known.row.clone());
    }
    if let Some(wanted) = &command.idempotency {
        let same_key = db.commands.values().find(|known| {
            known.row.project_id == command.project_id
                && known
                    .idempotency
                    .as_ref()
                    .is_some_and(|key| key.key == wanted.key)
        });
        match same_key {
            Some(known) if known.idempotency.as_ref() == Some(wanted) => {
                return IssueOutcome::Repeated(known.row.clone());
            }
            Some(_) => return IssueOutcome::KeyReused,
            None => {}
        }
    }
    let claimed_for = command.claim_for.filter(|link| {
        let link = db.links.get(link);
        link.is_some_and(|link| link.agent == command.agent_id)
    });
    let row = CommandRow {
        id: command.id,
        project_id: command.project_id,
        agent_id: command.agent_id,
        issued_by: command.issued_by,
        issued_by_name: command.issued_by.and_then(|user| db.name_of(user)),
        action: command.action,
        target_type: command.target_type,
        target_id: command.target_id,
        payload: command.payload,
        state: CommandState::Pending,
        result: None,
        error: None,
        issued_at: command.issued_at,
        dispatched_at: None,
        acknowledged_at: None,
        completed_at: None,
        timeout_at: command.timeout_at,
    };
    let mut stored = Command {
        row,
        idempotency: command.idempotency,
        link: None,
    };
    if let Some(link) = claimed_for {
        hand_out(&mut stored, link, command.issued_at);
    }
    let row = stored.row.clone();
    db.commands.insert(row.id, stored);
    append(db, command.audit);
    IssueOutcome::Issued(row)
}

fn claim(db: &mut Db, claim: &ClaimCommands) -> Vec<CommandRow> {
    let is_open = db
        .links
        .get(&claim.link_id)
        .is_some_and(|link| link.agent == claim.agent_id);
    if !is_open {
        return Vec::new();
    }
    let mut waiting: Vec<&mut Command> = db
        .commands
        .values_mut()
        .filter(|command| {
            let row = &command.row;
            row.agent_id == claim.agent_id
                && row.state == CommandState::Pending
                && row.timeout_at > claim.now
                && engine_of(&row.payload).is_none_or(|engine| claim.engines.contains(&engine))
                && claim
                    .only
                    .as_ref()
                    .is_none_or(|only| only.contains(&row.id))
        })
        .collect();
    waiting.sort_by_key(|command| (command.row.issued_at, command.row.id));
    let limit = usize::try_from(claim.limit).unwrap_or(usize::MAX);
    let mut claimed = Vec::new();
    for command in waiting.into_iter().take(limit) {
        if hand_out(command, claim.link_id, claim.now) {
            claimed.push(command.row.clone());
        }
    }
    claimed
}

/// Claims a command for a link; false when it is not to be had any more.
fn hand_out(command: &mut Command, link: LinkId, at: Timestamp) -> bool {
    if !step(command, CommandInput::Claimed, at) {
        return false;
    }
    command.row.dispatched_at = Some(at);
    command.link = Some(link);
    true
}

/// The engine that a command's parameters name.
fn engine_of(payload: &str) -> Option<String> {
    let parameters: Value = serde_json::from_str(payload).ok()?;
    Some(parameters.get("engine")?.as_str()?.to_owned())
}

/// Feeds an input to the machine; true when the command changed.
fn step(command: &mut Command, input: CommandInput, at: Timestamp) -> bool {
    let CommandVerdict::Advance(state) = apply(command.row.state, input) else {
        return false;
    };
    command.row.state = state;
    if state == CommandState::Acknowledged {
        command.row.acknowledged_at = Some(at);
    }
    if state.is_terminal() {
        command.row.completed_at = Some(at);
    }
    if !state.is_in_flight() {
        command.link = None;
    }
    true
}

fn advance(db: &mut Db, advance: AdvanceCommand) -> AdvanceOutcome {
    let Some(command) = db.commands.get_mut(&advance.id) else {
        return AdvanceOutcome::NotFound;
    };
    if advance
        .agent_id
        .is_some_and(|agent| command.row.agent_id != agent)
    {
        return AdvanceOutcome::NotFound;
    }
    if advance.is_past(&command.row, command.link) || !step(command, advance.input, advance.at) {
        return AdvanceOutcome::Absorbed(command.row.clone());
    }
    if matches!(
        advance.input,
        CommandInput::Succeeded | CommandInput::Failed { .. }
    ) {
        command.row.result = advance.result;
        command.row.error = advance.error;
    }
    let row = command.row.clone();
    if let Some(link) = advance.retry_link {
        keep_retry(db, row.project_id, link, advance.at);
    }
    if let Some(entry) = advance.audit {
        append(db, entry);
    }
    AdvanceOutcome::Advanced(row)
}

fn keep_retry(db: &mut Db, project: ProjectId, link: RetryLink, at: Timestamp) {
    let retry = TaskKey::new(link.original.engine, link.retry_task_id);
    let original = link.original.task_id;
    db.retries.insert((project, retry), Retry { original, at });
}

pub(super) fn lose_link(db: &mut Db, link: LinkId, at: Timestamp) -> Vec<CommandRow> {
    let mut changed = Vec::new();
    for command in db
        .commands
        .values_mut()
        .filter(|command| command.link == Some(link))
    {
        let can_resend = is_safe_to_resend(&command.row.action) && command.row.timeout_at > at;
        if step(command, CommandInput::LinkLost { can_resend }, at) {
            changed.push(command.row.clone());
        }
    }
    changed
}

fn expire(db: &mut Db, now: Timestamp, limit: u32) -> Vec<CommandRow> {
    let mut due: Vec<&mut Command> = db
        .commands
        .values_mut()
        .filter(|command| !command.row.state.is_terminal() && command.row.timeout_at <= now)
        .collect();
    due.sort_by_key(|command| (command.row.timeout_at, command.row.id));
    let mut changed = Vec::new();
    for command in due
        .into_iter()
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
    {
        let was_dispatched = command.row.dispatched_at.is_some();
        if step(
            command,
            CommandInput::DeadlineReached { was_dispatched },
            now,
        ) {
            changed.push(command.row.clone());
        }
    }
    changed
}
