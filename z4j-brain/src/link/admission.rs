//! Whose token it is.

use z4j_core::limits;
use z4j_core::store::{AgentIdentity, StoreError};
use z4j_core::wire::CloseCode;

use crate::ops::{chain, token};
use crate::shared::Shared;

/// What becomes of a link that wants to be an agent's.
#[derive(Debug)]
pub(super) enum Admission {
    /// It is this agent's.
    Agent(AgentIdentity),
    /// It is accepted only to be closed with this code, which slows the agent down (protocol §12.16).
    Refused(CloseCode),
}

/// Finds the agent that a bearer token belongs to. The token is the only thing that counts.
pub(super) async fn admit(shared: &Shared, token: Option<&str>) -> Result<Admission, StoreError> {
    let is_of_size = |token: &&str| (1..=limits::TOKEN_BYTES_MAX).contains(&token.len());
    let Some(token) = token.filter(is_of_size) else {
        note_refusal(shared, "no_token");
        return Ok(Admission::Refused(CloseCode::Unauthorized));
    };
    if token::is_mistyped(token) {
        note_refusal(shared, "mistyped_token");
        return Ok(Admission::Refused(CloseCode::Unauthorized));
    }
    match look_up(shared, token).await {
        Ok(Some(agent)) => Ok(Admission::Agent(agent)),
        Ok(None) => {
            note_refusal(shared, "unknown_token");
            Ok(Admission::Refused(CloseCode::Unauthorized))
        }
        Err(error) => {
            shared.metrics.store_fault(error.kind().as_str());
            if shared.health.fail(&error) {
                tracing::error!(error = %chain(&error), "agents wait: the store cannot look their tokens up");
            }
            Err(error)
        }
    }
}

async fn look_up(shared: &Shared, token: &str) -> Result<Option<AgentIdentity>, StoreError> {
    let hash = shared.keyring.token_hash(token);
    let now = shared.env.elapsed();
    if let Some(agent) = shared.links.tokens.get(&hash, now) {
        return Ok(Some(agent));
    }
    // The semaphore is never closed; without a permit the look-up would only be unlimited.
    let _permit = shared.links.handshakes.acquire().await;
    let agent = shared.store.agent_by_token(&hash, shared.env.now()).await?;
    if let Some(agent) = &agent {
        shared.links.tokens.put(hash, agent.clone(), now);
    }
    Ok(agent)
}

/// Counts it, and logs it at a bounded rate: anybody can cause this.
fn note_refusal(shared: &Shared, reason: &'static str) {
    shared.metrics.refused(reason);
    if shared.links.may_log_stranger(shared.env.elapsed()) {
        tracing::warn!(
            reason,
            "refused a connection to the agent socket: the token belongs to no agent"
        );
    }
}
