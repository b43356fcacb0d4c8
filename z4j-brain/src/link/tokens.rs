//! Remembers token look-ups for a few seconds, so that a storm of reconnects does not become a storm of reads.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use z4j_core::id::{AgentId, ProjectId};
use z4j_core::store::AgentIdentity;

/// How long a look-up is believed (`reliability.md` §2).
const KEPT: Duration = Duration::from_secs(5);
/// Look-ups that are remembered at most.
const ENTRIES_MAX: usize = 10_000;

/// Remembers whom a token belongs to. Refused tokens are not remembered: a guesser must not fill it.
#[derive(Debug, Default)]
pub(super) struct TokenCache {
    known: Mutex<HashMap<[u8; 32], (AgentIdentity, Duration)>>,
}

impl TokenCache {
    /// Whom the token belongs to, if that was looked up lately.
    pub(super) fn get(&self, hash: &[u8; 32], now: Duration) -> Option<AgentIdentity> {
        let known = self.lock();
        let (agent, at) = known.get(hash)?;
        (now.saturating_sub(*at) < KEPT).then(|| agent.clone())
    }

    /// Remembers a look-up that began at `now`.
    pub(super) fn put(&self, hash: [u8; 32], agent: AgentIdentity, now: Duration) {
        let mut known = self.lock();
        if known.len() >= ENTRIES_MAX {
            known.retain(|_, (_, at)| now.saturating_sub(*at) < KEPT);
        }
        if known.len() < ENTRIES_MAX {
            known.insert(hash, (agent, now));
        }
    }

    /// The agents whose tokens are known, with their projects.
    pub(super) fn agents(&self, now: Duration) -> Vec<(ProjectId, AgentId)> {
        let mut known = self.lock();
        known.retain(|_, (_, at)| now.saturating_sub(*at) < KEPT);
        let agents = known.values();
        agents
            .map(|(agent, _)| (agent.project_id, agent.agent_id))
            .collect()
    }

    /// Forgets the tokens of an agent.
    pub(super) fn forget(&self, agent: AgentId) {
        self.lock().retain(|_, (known, _)| known.agent_id != agent);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], (AgentIdentity, Duration)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
