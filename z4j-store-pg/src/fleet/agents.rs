//! Agents' credentials.

use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::{
    AgentIdentity, AgentRow, MintAgent, MintOutcome, ReplaceToken, RevokeAgent, Topic,
};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{audit, identity, row, text};

use super::profile;

pub(super) async fn mint(db: &mut Db<'_>, mint: &MintAgent) -> Result<MintOutcome, Fault> {
    identity::require(db, mint.project_id).await?;
    if let Some(known) = profile::find(db, mint.project_id, mint.id).await? {
        return Ok(MintOutcome::Minted(known));
    }
    let name = text::put(&mint.name);
    let taken = db
        .sql("SELECT 1 FROM agents WHERE project_id = $1 AND name = $2 AND revoked_at IS NULL")
        .bind(*mint.project_id.as_uuid())
        .bind(name.as_ref())
        .fetch_optional(db.conn())
        .await?;
    if taken.is_some() {
        return Ok(MintOutcome::NameTaken);
    }
    db.sql(
        "INSERT INTO agents (id, project_id, name, token_hash, minted_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(*mint.id.as_uuid())
    .bind(*mint.project_id.as_uuid())
    .bind(name.as_ref())
    .bind(mint.token_hash.as_slice())
    .bind(mint.minted_by.map(|user| *user.as_uuid()))
    .bind(mint.at.as_micros())
    .execute(db.conn())
    .await?;
    audit::append(db, &mint.audit).await?;
    let agent = profile::find(db, mint.project_id, mint.id).await?;
    agent
        .map(MintOutcome::Minted)
        .ok_or(Fault::Bug("an agent is not where it was written"))
}

/// Waits for whoever changes the agent's rights at the same time; `None` when there is no such agent.
async fn lock(
    db: &mut Db<'_>,
    project: ProjectId,
    id: AgentId,
) -> Result<Option<Option<Timestamp>>, Fault> {
    let found = db
        .sql("SELECT revoked_at FROM agents WHERE id = $1 AND project_id = $2 FOR NO KEY UPDATE")
        .bind(*id.as_uuid())
        .bind(*project.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    found
        .map(|row| row::time_opt(&row, "revoked_at"))
        .transpose()
}

pub(super) async fn replace_token(
    db: &mut Db<'_>,
    replace: &ReplaceToken,
) -> Result<Option<AgentRow>, Fault> {
    let Some(None) = lock(db, replace.project_id, replace.id).await? else {
        return Ok(None);
    };
    // The same request again finds its own token and must not make it the old one.
    let replaced = db
        .sql(
            "UPDATE agents SET old_token_hash = token_hash, old_valid_until = $3, token_hash = $2
             WHERE id = $1 AND token_hash <> $2",
        )
        .bind(*replace.id.as_uuid())
        .bind(replace.token_hash.as_slice())
        .bind(replace.old_valid_until.as_micros())
        .execute(db.conn())
        .await?;
    if replaced.rows_affected() > 0 {
        audit::append(db, &replace.audit).await?;
        db.wake(Topic::Agents).await?;
    }
    profile::find(db, replace.project_id, replace.id).await
}

pub(super) async fn revoke(
    db: &mut Db<'_>,
    revoke: &RevokeAgent,
) -> Result<Option<AgentRow>, Fault> {
    let Some(revoked_at) = lock(db, revoke.project_id, revoke.id).await? else {
        return Ok(None);
    };
    if revoked_at.is_none() {
        db.sql("UPDATE agents SET revoked_at = $2 WHERE id = $1")
            .bind(*revoke.id.as_uuid())
            .bind(revoke.at.as_micros())
            .execute(db.conn())
            .await?;
        audit::append(db, &revoke.audit).await?;
        db.wake(Topic::Agents).await?;
    }
    profile::find(db, revoke.project_id, revoke.id).await
}

pub(super) async fn by_token(
    db: &mut Db<'_>,
    token: &[u8; 32],
    now: Timestamp,
) -> Result<Option<AgentIdentity>, Fault> {
    let found = db
        .sql(
            "SELECT id, project_id, name FROM agents WHERE token_hash = $1 AND revoked_at IS NULL
             UNION ALL
             SELECT id, project_id, name FROM agents
             WHERE old_token_hash = $1 AND old_valid_until > $2 AND revoked_at IS NULL
             LIMIT 1",
        )
        .bind(token.as_slice())
        .bind(now.as_micros())
        .fetch_optional(db.conn())
        .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(AgentIdentity {
        agent_id: row::id(&row, "id", AgentId::from_uuid)?,
        project_id: row::id(&row, "project_id", ProjectId::from_uuid)?,
        name: row::text(&row, "name")?,
    }))
}
