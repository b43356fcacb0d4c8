//! The links that this brain holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use z4j_core::id::{AgentId, LinkId, ProjectId};
use z4j_core::wire::{CloseCode, Hello};

use super::ability::Abilities;
use super::handle::LinkHandle;
use super::owners::Owners;
use super::pace::Pace;
use super::tokens::TokenCache;

/// Log lines about callers that are no agent (`reliability.md` S-47).
const STRANGER_LINES_PER_SECOND: u32 = 10;

/// The links that this brain holds.
#[derive(Debug)]
pub(crate) struct Registry {
    links: Mutex<BTreeMap<AgentId, Vec<Arc<LinkHandle>>>>,
    links_per_agent_max: usize,
    is_open: AtomicBool,
    /// Which link speaks for which worker.
    pub(crate) owners: Owners,
    /// Log lines about callers that are no agent.
    strangers: Mutex<Pace>,
    /// Token look-ups of the last seconds.
    pub(super) tokens: TokenCache,
    /// Limits how many handshakes touch the store at once.
    pub(super) handshakes: Arc<Semaphore>,
    /// Ends all reading while acks are still sent.
    pub(super) reading: CancellationToken,
    /// Every task of a link, so that a stop can wait for them.
    pub(super) tasks: TaskTracker,
}

/// Why a link is not taken.
#[derive(Debug)]
pub(super) enum Refused {
    /// The agent has too many links.
    TooMany,
    /// The brain stops.
    BrainStops,
}

impl Registry {
    /// No links; takes none before [`Self::open`].
    pub(crate) fn new(handshakes_max: usize, links_per_agent_max: usize) -> Self {
        Self {
            links: Mutex::new(BTreeMap::new()),
            links_per_agent_max,
            is_open: AtomicBool::new(false),
            owners: Owners::default(),
            strangers: Mutex::new(Pace::new(
                STRANGER_LINES_PER_SECOND,
                STRANGER_LINES_PER_SECOND,
            )),
            tokens: TokenCache::default(),
            handshakes: Arc::new(Semaphore::new(handshakes_max)),
            reading: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Begins to take links.
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    /// Whether links are taken.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Takes no further links, and reads nothing more from those that are open.
    pub(crate) fn shut(&self) {
        self.is_open.store(false, Ordering::Release);
        self.reading.cancel();
    }

    /// Closes every link and waits until their tasks are over.
    pub(crate) async fn close_all(&self, code: CloseCode) {
        for link in self.all() {
            link.close(code);
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Closes every link of an agent and forgets its tokens, so that it cannot come back on a cached look-up.
    pub(crate) fn close_agent(&self, agent: AgentId, code: CloseCode) {
        self.tokens.forget(agent);
        let links = self.lock().get(&agent).cloned().unwrap_or_default();
        for link in links {
            link.close(code);
        }
    }

    /// How many agents are connected.
    pub(crate) fn online_count(&self) -> usize {
        self.lock().len()
    }

    /// How many links there are.
    pub(crate) fn link_count(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }

    /// Every link.
    pub(crate) fn all(&self) -> Vec<Arc<LinkHandle>> {
        self.lock().values().flatten().cloned().collect()
    }

    /// The links of a project that take commands, oldest first.
    pub(crate) fn links_of(&self, project: ProjectId) -> Vec<Arc<LinkHandle>> {
        let mut links = self.all();
        links.retain(|link| link.project_id() == project && link.takes_commands());
        links.sort_by_key(|link| (link.connected_at, link.id));
        links
    }

    /// The projects and agents that are connected.
    pub(crate) fn agents_by_project(&self) -> BTreeMap<ProjectId, BTreeSet<AgentId>> {
        let mut agents: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for link in self.lock().values().flatten() {
            agents
                .entry(link.project_id())
                .or_default()
                .insert(link.agent_id());
        }
        agents
    }

    /// The projects and agents whose rights count here: they are connected, or may connect on a look-up of the last seconds.
    pub(crate) fn trusted_by_project(
        &self,
        now: Duration,
    ) -> BTreeMap<ProjectId, BTreeSet<AgentId>> {
        let mut agents = self.agents_by_project();
        for (project, agent) in self.tokens.agents(now) {
            agents.entry(project).or_default().insert(agent);
        }
        agents
    }

    /// Whether one more line about a caller that is no agent may be logged.
    pub(super) fn may_log_stranger(&self, now: Duration) -> bool {
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admits(now)
    }

    /// What a hello says that its process can do; shared with another link of the agent that says the same.
    pub(super) fn abilities(&self, agent: AgentId, hello: &Hello) -> Arc<Abilities> {
        let new = Abilities {
            engines: hello.engines.clone(),
            capabilities: hello.capabilities.clone(),
        };
        let links = self.lock();
        let mut known = links
            .get(&agent)
            .into_iter()
            .flatten()
            .map(|link| link.abilities());
        known
            .find(|known| ***known == new)
            .map_or_else(|| Arc::new(new), Arc::clone)
    }

    /// Takes a link; one that had its slot before is closed.
    pub(super) fn admit(&self, link: &Arc<LinkHandle>) -> Result<(), Refused> {
        if !self.is_open() {
            return Err(Refused::BrainStops);
        }
        let mut links = self.lock();
        let of_agent = links.entry(link.agent_id()).or_default();
        let replaced = of_agent.iter().position(|other| other.slot == link.slot);
        if replaced.is_none() && of_agent.len() >= self.links_per_agent_max {
            return Err(Refused::TooMany);
        }
        let replaced = replaced.map(|at| of_agent.swap_remove(at));
        of_agent.push(Arc::clone(link));
        drop(links);
        if let Some(replaced) = replaced {
            // The process speaks here now: what it says must not be left to a link that it has left.
            self.owners.release(replaced.id);
            replaced.close(CloseCode::Replaced);
        }
        Ok(())
    }

    pub(super) fn remove(&self, agent: AgentId, id: LinkId) {
        self.owners.release(id);
        let mut links = self.lock();
        if let Some(of_agent) = links.get_mut(&agent) {
            of_agent.retain(|link| link.id != id);
            if of_agent.is_empty() {
                links.remove(&agent);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AgentId, Vec<Arc<LinkHandle>>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
