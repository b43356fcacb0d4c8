//! Links that ended, until the store has taken back the commands that they had.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use z4j_core::id::LinkId;
use z4j_core::store::{AgentIdentity, CloseLink, CommandRow, StoreError};

use crate::link::LinkHandle;
use crate::ops::chain;
use crate::shared::Shared;
use crate::upkeep::is_passing;

/// Links whose commands the store did not take back yet.
#[derive(Debug, Default)]
pub(super) struct LostLinks {
    waiting: Mutex<BTreeMap<LinkId, LostLink>>,
}

/// A link that ended.
#[derive(Debug)]
pub(super) struct LostLink {
    /// Told to the store last: as long as the link is open there, whoever buries this brain finds its commands by it.
    close: CloseLink,
    agent: AgentIdentity,
}

/// A link that is being lost. Whoever breaks that off leaves it among those that wait.
struct Losing<'a> {
    links: &'a LostLinks,
    link: Option<LostLink>,
}

/// What became of it.
enum Outcome {
    /// These commands changed.
    Lost(Vec<CommandRow>),
    /// The store does not work at the moment.
    Waits,
    /// The store works, but something is in the way of this one.
    Held,
    /// A store that works refuses it.
    GivenUp,
}

impl LostLink {
    pub(super) fn new(shared: &Shared, link: &LinkHandle) -> Self {
        Self {
            close: CloseLink {
                link_id: link.id,
                at: shared.env.now(),
            },
            agent: link.agent.clone(),
        }
    }
}

impl LostLinks {
    /// Lets a link wait for the next [`Self::retry`].
    pub(super) fn push(&self, link: LostLink) {
        self.lock().insert(link.close.link_id, link);
    }

    /// Takes back what a link had, now or later. Answers the commands that changed.
    pub(super) async fn lose(&self, shared: &Shared, link: LostLink) -> Vec<CommandRow> {
        match self.begin(link).make(shared).await {
            Outcome::Lost(commands) => commands,
            Outcome::Waits | Outcome::Held | Outcome::GivenUp => Vec::new(),
        }
    }

    /// Tries those that wait, oldest first, until the store fails. Answers the commands that changed.
    pub(super) async fn retry(&self, shared: &Shared) -> Vec<CommandRow> {
        let waiting: Vec<LinkId> = self.lock().keys().copied().collect();
        let mut changed = Vec::new();
        for id in waiting {
            // Taken out before it is tried: what ends meanwhile must not be forgotten with it.
            let Some(link) = self.lock().remove(&id) else {
                continue;
            };
            match self.begin(link).make(shared).await {
                Outcome::Lost(commands) => changed.extend(commands),
                Outcome::Waits => break,
                Outcome::Held | Outcome::GivenUp => {}
            }
        }
        changed
    }

    const fn begin(&self, link: LostLink) -> Losing<'_> {
        Losing {
            links: self,
            link: Some(link),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LinkId, LostLink>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Losing<'_> {
    async fn make(mut self, shared: &Shared) -> Outcome {
        let Some(link) = &self.link else {
            return Outcome::Lost(Vec::new());
        };
        let now = shared.replicas.now(&shared.env);
        let outcome = match shared.store.lose_link(link.close.link_id, now).await {
            Ok(commands) => Outcome::Lost(commands),
            Err(error) => failed(shared, link, &error).await,
        };
        if !matches!(outcome, Outcome::Waits | Outcome::Held)
            && let Some(link) = self.link.take()
        {
            shared.reports.closed(link.close, &link.agent);
        }
        outcome
    }
}

impl Drop for Losing<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.links.push(link);
        }
    }
}

async fn failed(shared: &Shared, link: &LostLink, error: &StoreError) -> Outcome {
    shared.hub.doubts().of(link.agent.project_id);
    shared.metrics.store_fault(error.kind().as_str());
    let is_sound = shared.store.probe(shared.env.now()).await.is_ok();
    // What a sound store refuses, it refuses again: the commands are left to their deadlines.
    let is_refused = is_sound && !is_passing(error.kind());
    tracing::warn!(link = %link.close.link_id, agent = %link.agent.name, error = %chain(error), is_refused, "the store did not take back the commands of a lost link");
    match (is_sound, is_refused) {
        (false, _) => Outcome::Waits,
        (true, false) => Outcome::Held,
        (true, true) => Outcome::GivenUp,
    }
}
