//! Which agent shall carry out a command.

use std::collections::BTreeMap;

use z4j_core::command::Action;
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::AgentRow;

use super::error::IssueError;
use super::request::{IssueRequest, When};
use crate::link::{Inability, ability_of_rows};
use crate::shared::Shared;

/// What is known of one agent when a choice is made.
struct Candidate<'a> {
    row: &'a AgentRow,
    is_online: bool,
    /// Whether one of its processes can do it; of an agent that is away, whether its last one could.
    ability: Result<(), Inability>,
}

/// Chooses an agent of the project's: the one that was named, else the one that reported the task, else the first that can
/// do it.
pub(super) fn choose(
    shared: &Shared,
    project: ProjectId,
    request: &IssueRequest,
    (rows, reporter): (&[AgentRow], Option<AgentId>),
) -> Result<AgentId, IssueError> {
    let mut candidates = candidates(shared, project, rows, request);
    if let Some(wanted) = request.agent_id {
        candidates.retain(|candidate| candidate.row.id == wanted);
    }
    let may_wait = request.when() == When::NextConnect;
    let fits =
        |candidate: &&Candidate<'_>| candidate.ability.is_ok() && (candidate.is_online || may_wait);
    let best = candidates
        .iter()
        .filter(fits)
        .max_by_key(|candidate| (candidate.is_online, Some(candidate.row.id) == reporter));
    match best {
        Some(best) => Ok(best.row.id),
        None => Err(IssueError::NoAgent(reason(&candidates, request))),
    }
}

fn candidates<'a>(
    shared: &Shared,
    project: ProjectId,
    rows: &'a [AgentRow],
    request: &IssueRequest,
) -> Vec<Candidate<'a>> {
    let (action, engine) = (request.action(), request.task.engine.as_str());
    let links = shared.links.links_of(project);
    let own_name = shared.replicas.own();
    let judge = |row: &'a AgentRow| {
        let here = links.iter().filter(|link| link.agent_id() == row.id);
        let here = here.map(|link| (link.engines(), link.capabilities()));
        // What this brain holds it knows best itself; what another one holds is in the store.
        let elsewhere = row.links.iter().filter(|link| link.replica != own_name);
        let elsewhere = elsewhere.map(|link| (link.engines.as_slice(), &link.capabilities));
        let ability = ability_of_rows(here.chain(elsewhere), action, engine);
        Candidate {
            row,
            is_online: ability.is_some(),
            ability: ability.unwrap_or_else(|| of_profile(row, action, engine)),
        }
    };
    let alive = rows.iter().filter(|row| row.revoked_at.is_none());
    alive.map(judge).collect()
}

/// What the agent's latest hello said, for agents that are away.
fn of_profile(row: &AgentRow, action: Action, engine: &str) -> Result<(), Inability> {
    let said: (&[String], &BTreeMap<String, Vec<String>>) =
        (&row.profile.engines, &row.profile.capabilities);
    ability_of_rows(std::iter::once(said), action, engine).unwrap_or(Err(Inability::OtherEngine))
}

/// Why nobody can do it, in one sentence.
fn reason(candidates: &[Candidate<'_>], request: &IssueRequest) -> String {
    let engine = &request.task.engine;
    let what = match request.action() {
        Action::CancelTask => "cancel",
        _ => "retry",
    };
    let online: Vec<_> = candidates
        .iter()
        .filter(|candidate| candidate.is_online)
        .collect();
    if online.is_empty() {
        return match (request.agent_id, candidates.first()) {
            (Some(_), Some(candidate)) => {
                format!("The agent {} is not connected.", candidate.row.name)
            }
            (Some(_), None) => "The project has no such agent, or it was revoked.".to_owned(),
            (None, _) => format!("No agent is connected, so nobody can {what} the task."),
        };
    }
    let closest = online
        .iter()
        .filter_map(|candidate| Some((candidate.ability.err()?, candidate)));
    match closest.max_by_key(|(inability, _)| *inability) {
        Some((Inability::NoRetryByReference, candidate)) => format!(
            "The agent {} is connected but cannot retry {engine} tasks safely: it does not offer retry by reference.",
            candidate.row.name
        ),
        Some((Inability::NoSuchAction, candidate)) => format!(
            "The agent {} is connected but its {engine} adapter cannot {what} tasks.",
            candidate.row.name
        ),
        Some((Inability::OtherEngine, _)) | None => {
            format!("No connected agent serves the engine {engine}.")
        }
    }
}
