//! Agents' credentials.

use rusqlite::{Connection, OptionalExtension, params};
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::{
    AgentIdentity, AgentRow, MintAgent, MintOutcome, ReplaceToken, RevokeAgent, Topic,
};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::writer::Tx;
use crate::{audit, row};

use super::profile;

pub(super) fn mint(tx: &mut Tx<'_>, mint: &MintAgent) -> Result<MintOutcome, Fault> {
    let project = tx.known_project(mint.project_id)?;
    if let Some(known) = profile::find(tx.db, mint.project_id, mint.id)? {
        return Ok(MintOutcome::Minted(known));
    }
    let mut taken = tx.db.prepare_cached(
        "SELECT 1 FROM agents WHERE project = ?1 AND name = ?2 AND revoked_at IS NULL",
    )?;
    if taken.exists(params![project, mint.name])? {
        return Ok(MintOutcome::NameTaken);
    }
    let mut insert = tx.db.prepare_cached(
        "INSERT INTO agents (id, project, name, token_hash, minted_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    insert.execute(params![
        mint.id.as_bytes().as_slice(),
        project,
        mint.name,
        mint.token_hash.as_slice(),
        mint.minted_by.as_ref().map(|id| id.as_bytes().as_slice()),
        mint.at.as_micros(),
    ])?;
    audit::append(tx.db, &mint.audit)?;
    let agent = profile::find(tx.db, mint.project_id, mint.id)?;
    agent
        .map(MintOutcome::Minted)
        .ok_or(Fault::Bug("an agent is not where it was written"))
}

pub(super) fn replace_token(
    tx: &mut Tx<'_>,
    replace: &ReplaceToken,
) -> Result<Option<AgentRow>, Fault> {
    let agent = profile::find(tx.db, replace.project_id, replace.id)?;
    if agent.is_none_or(|agent| agent.revoked_at.is_some()) {
        return Ok(None);
    }
    let mut update = tx.db.prepare_cached(
        "UPDATE agents SET old_token_hash = token_hash, old_valid_until = ?3, token_hash = ?2
         WHERE id = ?1 AND token_hash <> ?2",
    )?;
    let id = replace.id.as_bytes().as_slice();
    // The same request again finds its own token and must not make it the old one.
    if update.execute(params![
        id,
        replace.token_hash.as_slice(),
        replace.old_valid_until.as_micros()
    ])? > 0
    {
        audit::append(tx.db, &replace.audit)?;
        tx.wake(Topic::Agents);
    }
    profile::find(tx.db, replace.project_id, replace.id)
}

pub(super) fn revoke(tx: &mut Tx<'_>, revoke: &RevokeAgent) -> Result<Option<AgentRow>, Fault> {
    let Some(agent) = profile::find(tx.db, revoke.project_id, revoke.id)? else {
        return Ok(None);
    };
    if agent.revoked_at.is_some() {
        return Ok(Some(agent));
    }
    let mut update = tx
        .db
        .prepare_cached("UPDATE agents SET revoked_at = ?2 WHERE id = ?1")?;
    update.execute(params![
        revoke.id.as_bytes().as_slice(),
        revoke.at.as_micros()
    ])?;
    audit::append(tx.db, &revoke.audit)?;
    tx.wake(Topic::Agents);
    profile::find(tx.db, revoke.project_id, revoke.id)
}

pub(super) fn by_token(
    db: &Connection,
    token: &[u8; 32],
    now: Timestamp,
) -> Result<Option<AgentIdentity>, Fault> {
    const CURRENT: &str = "agents.token_hash = ?1";
    const OLD: &str = "agents.old_token_hash = ?1 AND agents.old_valid_until > ?2";
    for condition in [CURRENT, OLD] {
        let mut select = db.prepare_cached(&format!(
            "SELECT agents.id AS id, projects.id AS project_id, agents.name AS name FROM agents
             JOIN projects ON projects.key = agents.project WHERE {condition} AND revoked_at IS NULL AND ?2 = ?2"
        ))?;
        let found = select
            .query_row(params![token.as_slice(), now.as_micros()], |row| {
                Ok(AgentIdentity {
                    agent_id: row::id(row, "id", AgentId::from_slice)?,
                    project_id: row::id(row, "project_id", ProjectId::from_slice)?,
                    name: row.get("name")?,
                })
            })
            .optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
