//! Closes the links of agents that lost their rights, wherever that was decided (`reliability.md` I-25).

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::{StoreError, Topic};
use z4j_core::wire::CloseCode;

use crate::ops::chain;
use crate::shared::Shared;

/// Rights are looked at this often even without a hint: they may have been taken by another process.
const POLL: Duration = Duration::from_millis(800);
/// A look may take at most one part in so many of the time.
const SHARE: u32 = 20;

/// Watches until `halt`.
pub(super) async fn run(shared: &Shared, halt: &CancellationToken) {
    let mut hints = shared.store.wakeups(Topic::Agents);
    let mut has_hints = true;
    while !halt.is_cancelled() {
        let began = shared.env.elapsed();
        for (project, agents) in shared.links.trusted_by_project(began) {
            if let Err(error) = close_revoked(shared, project, &agents).await {
                tracing::warn!(project = %project, error = %chain(&error), "rights of agents cannot be looked at");
            }
        }
        let took = shared.env.elapsed().saturating_sub(began);
        tokio::select! {
            biased;
            hint = hints.next(), if has_hints => has_hints = hint.is_some(),
            () = tokio::time::sleep(POLL.max(took * SHARE)) => {}
            () = halt.cancelled() => {}
        }
    }
}

async fn close_revoked(
    shared: &Shared,
    project: ProjectId,
    agents: &BTreeSet<AgentId>,
) -> Result<(), StoreError> {
    let rows = shared.store.agents(project).await?;
    let good: BTreeSet<_> = rows
        .iter()
        .filter(|row| row.revoked_at.is_none())
        .map(|row| row.id)
        .collect();
    for agent in agents.difference(&good) {
        shared.links.close_agent(*agent, CloseCode::Revoked);
    }
    Ok(())
}
