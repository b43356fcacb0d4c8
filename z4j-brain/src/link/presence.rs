//! A link among those that the brain holds, from its admission to its end, whatever ends it.

use std::sync::Arc;

use z4j_core::store::CloseLink;
use z4j_core::wire::CloseCode;

use super::handle::LinkHandle;
use super::registry::Refused;
use crate::live::Delta;
use crate::shared::Shared;

/// A link that is among those of the brain. Dropping it takes it away, also when whoever serves it is dropped in the middle: its
/// slot is free, the store and dashboards hear of it, and commands that it had do not wait for it.
pub(super) struct Presence {
    shared: Arc<Shared>,
    link: Arc<LinkHandle>,
    is_over: bool,
}

impl Presence {
    /// Adds a link.
    ///
    /// # Errors
    /// Why it may not be added.
    pub(super) fn begin(shared: &Arc<Shared>, link: LinkHandle) -> Result<Self, Refused> {
        let link = Arc::new(link);
        shared.links.admit(&link)?;
        Ok(Self {
            shared: Arc::clone(shared),
            link,
            is_over: false,
        })
    }

    /// The link.
    pub(super) const fn link(&self) -> &Arc<LinkHandle> {
        &self.link
    }

    /// The brain that holds it.
    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Takes it away, and what it had back at once.
    pub(super) async fn end(mut self) {
        self.leave();
        self.is_over = true;
        if self.link.has_commands() {
            self.shared.dispatcher.lose(&self.shared, &self.link).await;
        }
    }

    fn leave(&self) {
        let (shared, link) = (&self.shared, &self.link);
        // From here on it takes no commands.
        link.close(CloseCode::GoingAway);
        shared.links.remove(link.agent_id(), link.id);
        if !link.has_commands() {
            let close = CloseLink {
                link_id: link.id,
                at: shared.env.now(),
            };
            shared.reports.closed(close, &link.agent);
        }
        if link.takes_commands() {
            let delta = Delta::Agent(link.agent_id());
            shared.hub.publish(link.project_id(), delta);
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.leave();
        if self.link.has_commands() {
            self.shared.dispatcher.lose_soon(&self.shared, &self.link);
        }
    }
}
