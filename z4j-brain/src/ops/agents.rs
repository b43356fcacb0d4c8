//! Agents' credentials.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use z4j_core::audit::ChainId;
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::{AgentRow, MintAgent, MintOutcome, ReplaceToken, RevokeAgent};
use z4j_core::wire::CloseCode;

use super::audit_log::{about, entry};
use super::{OpError, Requester};
use crate::live::Delta;
use crate::shared::Shared;

/// How long an agent's old token works after it was replaced.
const ROTATION_GRACE: Duration = Duration::from_secs(24 * 3600);
const NAME_CHARS_MAX: usize = 80;

/// An agent with its secrets, which are shown this once.
#[derive(Debug)]
pub(crate) struct Minted {
    /// The agent.
    pub(crate) agent: AgentRow,
    /// What the agent shows when it connects.
    pub(crate) token: SecretString,
    /// Signs every frame of the project.
    pub(crate) hmac_secret: SecretString,
}

/// Makes an agent.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn mint(
    shared: &Shared,
    requester: &Requester,
    project: ProjectId,
    name: &str,
) -> Result<Minted, OpError> {
    let name = checked_name(name)?;
    let token = shared.keyring.mint_token(&shared.env);
    let id = AgentId::from_u128(shared.env.next_id());
    let audit = entry(
        shared,
        requester,
        ChainId::Project(project),
        "agent.token.minted",
    );
    let mint = MintAgent {
        id,
        project_id: project,
        name: name.to_owned(),
        token_hash: shared.keyring.token_hash(token.expose_secret()),
        minted_by: requester.user,
        at: shared.env.now(),
        audit: named(about(audit, "agent", id), name),
    };
    match shared.store.mint_agent(mint).await? {
        MintOutcome::Minted(agent) => Ok(minted(shared, agent, token)),
        MintOutcome::NameTaken => Err(OpError::Taken("name")),
    }
}

/// Gives an agent a new token; the old one works for another day.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn rotate(
    shared: &Shared,
    requester: &Requester,
    project: ProjectId,
    id: AgentId,
) -> Result<Minted, OpError> {
    let token = shared.keyring.mint_token(&shared.env);
    let now = shared.env.now();
    let audit = entry(
        shared,
        requester,
        ChainId::Project(project),
        "agent.token.rotated",
    );
    let replace = ReplaceToken {
        id,
        project_id: project,
        token_hash: shared.keyring.token_hash(token.expose_secret()),
        old_valid_until: now.plus(ROTATION_GRACE),
        at: now,
        audit: about(audit, "agent", id),
    };
    let agent = shared.store.replace_token(replace).await;
    let agent = agent.inspect_err(|_| shared.hub.doubts().of(project))?;
    Ok(minted(
        shared,
        agent.ok_or(OpError::NotFound("agent"))?,
        token,
    ))
}

/// Ends an agent's rights for good and closes its links.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn revoke(
    shared: &Shared,
    requester: &Requester,
    project: ProjectId,
    id: AgentId,
) -> Result<AgentRow, OpError> {
    let audit = entry(
        shared,
        requester,
        ChainId::Project(project),
        "agent.token.revoked",
    );
    let revoke = RevokeAgent {
        id,
        project_id: project,
        at: shared.env.now(),
        audit: about(audit, "agent", id),
    };
    let agent = shared.store.revoke_agent(revoke).await;
    let agent = agent.inspect_err(|_| shared.hub.doubts().of(project))?;
    let agent = agent.ok_or(OpError::NotFound("agent"))?;
    shared.links.close_agent(id, CloseCode::Revoked);
    shared.hub.publish(project, Delta::Agent(id));
    Ok(agent)
}

fn minted(shared: &Shared, agent: AgentRow, token: SecretString) -> Minted {
    shared.hub.publish(agent.project_id, Delta::Agent(agent.id));
    Minted {
        hmac_secret: shared.keyring.hmac_secret(agent.project_id),
        agent,
        token,
    }
}

fn named(mut audit: z4j_core::store::AuditWrite, name: &str) -> z4j_core::store::AuditWrite {
    audit.draft = audit
        .draft
        .with_metadata(serde_json::json!({ "name": name }).to_string());
    audit
}

fn checked_name(name: &str) -> Result<&str, OpError> {
    let name = name.trim();
    let chars = name.chars().count();
    if chars == 0 || chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(OpError::Invalid {
            field: "name",
            sentence: "It must have 1 to 80 characters and no control characters.",
        });
    }
    Ok(name)
}
