//! Finds pending commands that a link of this brain can take, and claims them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use z4j_core::command::{Action, CommandInput, CommandState, is_safe_to_resend};
use z4j_core::id::{AgentId, CommandId, LinkId, ProjectId};
use z4j_core::limits;
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, ClaimCommands, CommandFilter, CommandRow, PageRequest,
    StoreError,
};
use z4j_core::time::Timestamp;

use super::payload;
use crate::link::{LinkHandle, OutgoingCommand};
use crate::ops::chain;
use crate::shared::Shared;

/// Commands that one claim takes at most.
const CLAIM_MAX: u32 = 64;

/// What one link shall claim.
struct Planned {
    link: Arc<LinkHandle>,
    engines: BTreeSet<String>,
    ids: Vec<CommandId>,
}

impl Planned {
    fn on(link: &Arc<LinkHandle>) -> Self {
        Self {
            link: Arc::clone(link),
            engines: BTreeSet::new(),
            ids: Vec::new(),
        }
    }
}

type Claims = BTreeMap<LinkId, Planned>;

/// Looks once at the pending commands of every project that has a link here.
pub(super) async fn sweep(shared: &Shared) {
    for (project, agents) in shared.links.agents_by_project() {
        if let Err(error) = sweep_project(shared, project, &agents).await {
            shared.metrics.store_fault(error.kind().as_str());
            tracing::warn!(project = %project, error = %chain(&error), "commands wait: the store cannot be asked for them");
        }
    }
}

async fn sweep_project(
    shared: &Shared,
    project: ProjectId,
    agents: &BTreeSet<AgentId>,
) -> Result<(), StoreError> {
    let filter = CommandFilter {
        state: Some(CommandState::Pending),
        ..CommandFilter::default()
    };
    let mut page = PageRequest::first(limits::PAGE_ROWS_MAX);
    loop {
        let pending = shared.store.commands(project, &filter, page).await?;
        let own = pending
            .items
            .iter()
            .filter(|command| agents.contains(&command.agent_id));
        for planned in plan(shared, project, own).into_values() {
            let claimed = claim(shared, planned).await;
            claimed.inspect_err(|_| shared.hub.doubts().of(project))?;
        }
        let Some(next) = pending.next else {
            return Ok(());
        };
        page = PageRequest::first(limits::PAGE_ROWS_MAX).after(Some(next));
    }
}

/// Chooses for each command the oldest link of its agent that can carry it out.
fn plan<'a>(
    shared: &Shared,
    project: ProjectId,
    pending: impl Iterator<Item = &'a CommandRow>,
) -> Claims {
    let mut claims = Claims::new();
    let links = shared.links.links_of(project);
    for command in pending {
        let Some(engine) = payload::engine_of(command) else {
            continue;
        };
        let able = |link: &&Arc<LinkHandle>| {
            link.agent_id() == command.agent_id && can(link, command, &engine)
        };
        if let Some(link) = links.iter().find(able) {
            let claim = claims.entry(link.id).or_insert_with(|| Planned::on(link));
            claim.engines.insert(engine);
            claim.ids.push(command.id);
        }
    }
    claims
}

/// The link of this brain that a new command goes to: the oldest of its agent that can carry it out.
pub(super) fn link_for(
    shared: &Shared,
    project: ProjectId,
    agent: AgentId,
    (action, engine): (Action, &str),
) -> Option<Arc<LinkHandle>> {
    let links = shared.links.links_of(project);
    let able = |link: &Arc<LinkHandle>| {
        link.agent_id() == agent
            && link.close_code().is_none()
            && link.ability(action, engine).is_ok()
    };
    links.into_iter().find(able)
}

fn can(link: &LinkHandle, command: &CommandRow, engine: &str) -> bool {
    let action = command.action.parse::<Action>();
    link.close_code().is_none() && action.is_ok_and(|action| link.ability(action, engine).is_ok())
}

async fn claim(shared: &Shared, planned: Planned) -> Result<(), StoreError> {
    let Planned { link, engines, ids } = planned;
    // Before the claim: if its answer is lost, the end of the link must still be told.
    link.note_commands();
    let now = shared.replicas.now(&shared.env);
    let claim = ClaimCommands {
        agent_id: link.agent_id(),
        link_id: link.id,
        engines: engines.into_iter().collect(),
        only: Some(ids),
        now,
        limit: CLAIM_MAX,
    };
    match shared.store.claim_commands(claim).await {
        Ok(claimed) => hand_over(shared, &link, claimed, now).await,
        Err(error) => {
            shared.dispatcher.lose_if_over(shared, &link).await;
            Err(error)
        }
    }
}

/// Gives commands that were claimed for a link to it.
pub(super) async fn hand_over(
    shared: &Shared,
    link: &LinkHandle,
    claimed: Vec<CommandRow>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut refused = Vec::new();
    for command in claimed {
        let engine = payload::engine_of(&command).unwrap_or_default();
        if can(link, &command, &engine) {
            link.outbox.push_command(OutgoingCommand {
                id: command.id,
                payload: payload::of(&command, now),
            });
            shared.dispatcher.publish(shared, command);
        } else {
            refused.push(command);
        }
    }
    let mut taken_back = Ok(());
    for command in refused {
        taken_back = taken_back.and(take_back(shared, link, &command).await);
    }
    shared.dispatcher.lose_if_over(shared, link).await;
    taken_back
}

/// The process ended between the plan and the claim, or said that it will: the command is not sent to it. One that may be sent
/// twice waits for another link, and may already have one, because whoever closed the link took it back too; any other is over.
async fn take_back(
    shared: &Shared,
    link: &LinkHandle,
    command: &CommandRow,
) -> Result<(), StoreError> {
    let now = shared.replicas.now(&shared.env);
    let can_resend = is_safe_to_resend(&command.action) && command.timeout_at > now;
    if can_resend && link.close_code().is_some() {
        // Taken back with all that the link had, if it still has it.
        return Ok(());
    }
    let (input, error) = if can_resend {
        (CommandInput::LinkLost { can_resend }, None)
    } else {
        let failed = CommandInput::Failed {
            indeterminate: false,
        };
        let reason = "The process that took the command cannot carry it out; it was not sent.";
        (failed, Some(reason.to_owned()))
    };
    let advance = AdvanceCommand {
        id: command.id,
        agent_id: None,
        heard_on: None,
        input,
        result: None,
        error,
        at: now,
        retry_link: None,
        audit: None,
    };
    if let AdvanceOutcome::Advanced(command) = shared.store.advance_command(advance).await? {
        shared.dispatcher.publish(shared, command);
    }
    if can_resend {
        shared.dispatcher.wake();
    }
    Ok(())
}
