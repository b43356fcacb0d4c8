//! Agents and their rights.

use std::collections::BTreeMap;

use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::{
    AgentIdentity, AgentProfile, AgentRow, MintAgent, MintOutcome, ReplaceToken, RevokeAgent,
    total_loss,
};
use z4j_core::time::Timestamp;

use super::audit::append;
use super::db::{Agent, Db};

pub(super) fn mint(db: &mut Db, mint: MintAgent) -> MintOutcome {
    if let Some(known) = db.agents.get(&mint.id) {
        return MintOutcome::Minted(row_of(db, known));
    }
    let is_taken = db.agents.values().any(|agent| {
        agent.row.project_id == mint.project_id
            && agent.row.name == mint.name
            && agent.row.revoked_at.is_none()
    });
    if is_taken {
        return MintOutcome::NameTaken;
    }
    let row = AgentRow {
        id: mint.id,
        project_id: mint.project_id,
        name: mint.name,
        created_at: mint.at,
        revoked_at: None,
        last_connected_at: None,
        last_seen_at: None,
        profile: AgentProfile::default(),
        links: Vec::new(),
        buffer_entries: None,
        health: BTreeMap::new(),
        telemetry_loss: None,
        last_refusal: None,
        refused_total: 0,
    };
    let agent = Agent {
        row: row.clone(),
        token_hash: mint.token_hash,
        old_token: None,
        reported_at: None,
        losses: BTreeMap::new(),
    };
    db.agents.insert(mint.id, agent);
    append(db, mint.audit);
    MintOutcome::Minted(row)
}

/// A repeat must not make the new token the old one, or the token that is out there would die before its time.
pub(super) fn replace_token(db: &mut Db, replace: ReplaceToken) -> Option<AgentRow> {
    let agent = of_project(db, replace.project_id, replace.id)?;
    if agent.row.revoked_at.is_some() {
        return None;
    }
    if agent.token_hash != replace.token_hash {
        agent.old_token = Some((agent.token_hash, replace.old_valid_until));
        agent.token_hash = replace.token_hash;
        append(db, replace.audit);
    }
    one(db, replace.project_id, replace.id)
}

pub(super) fn revoke(db: &mut Db, revoke: RevokeAgent) -> Option<AgentRow> {
    let agent = of_project(db, revoke.project_id, revoke.id)?;
    if agent.row.revoked_at.is_none() {
        agent.row.revoked_at = Some(revoke.at);
        append(db, revoke.audit);
    }
    one(db, revoke.project_id, revoke.id)
}

fn of_project(db: &mut Db, project: ProjectId, id: AgentId) -> Option<&mut Agent> {
    db.agents
        .get_mut(&id)
        .filter(|agent| agent.row.project_id == project)
}

pub(super) fn by_token(db: &Db, token_hash: &[u8; 32], now: Timestamp) -> Option<AgentIdentity> {
    let holds = |agent: &&Agent| {
        let is_old = agent
            .old_token
            .is_some_and(|(old, until)| old == *token_hash && now < until);
        agent.row.revoked_at.is_none() && (agent.token_hash == *token_hash || is_old)
    };
    let agent = db.agents.values().find(holds)?;
    Some(AgentIdentity {
        agent_id: agent.row.id,
        project_id: agent.row.project_id,
        name: agent.row.name.clone(),
    })
}

pub(super) fn list(db: &Db, project: ProjectId) -> Vec<AgentRow> {
    let of_project = db
        .agents
        .values()
        .filter(|agent| agent.row.project_id == project);
    let mut rows: Vec<AgentRow> = of_project.map(|agent| row_of(db, agent)).collect();
    rows.sort_by(|left, right| {
        let key = |row: &AgentRow| (row.revoked_at.is_some(), row.name.clone(), row.id);
        key(left).cmp(&key(right))
    });
    rows
}

pub(super) fn one(db: &Db, project: ProjectId, id: AgentId) -> Option<AgentRow> {
    let agent = db
        .agents
        .get(&id)
        .filter(|agent| agent.row.project_id == project)?;
    Some(row_of(db, agent))
}

/// The agent with its open links, the earliest first, and its declared loss.
fn row_of(db: &Db, agent: &Agent) -> AgentRow {
    let mut row = agent.row.clone();
    let links = db.links.values().filter(|link| link.agent == row.id);
    row.links = links.map(|link| link.row.clone()).collect();
    row.links.sort_by_key(|link| (link.connected_at, link.id));
    row.telemetry_loss = total_loss(agent.losses.values().map(|(counters, _)| counters.as_str()));
    row
}
