//! What the rest of the brain knows of one open link.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;
use z4j_core::command::Action;
use z4j_core::id::{AgentId, LinkId, ProjectId};
use z4j_core::store::AgentIdentity;
use z4j_core::time::Timestamp;
use z4j_core::wire::{CloseCode, Hello};

use super::ability::{self, Abilities, Inability};
use super::outbox::Outbox;

/// One open link.
#[derive(Debug)]
pub(crate) struct LinkHandle {
    /// Fresh for each connection; also the session id that every MAC is bound to.
    pub(crate) id: LinkId,
    /// Who is at the other end.
    pub(crate) agent: AgentIdentity,
    /// The process slot named in hello.
    pub(crate) slot: Option<String>,
    /// The process's id on its host.
    pub(crate) pid: Option<u32>,
    /// When the process started, by its host's clock.
    pub(crate) started_at: Option<Timestamp>,
    /// When the link opened.
    pub(crate) connected_at: Timestamp,
    /// What waits to be sent.
    pub(crate) outbox: Outbox,
    abilities: Arc<Abilities>,
    closing: CancellationToken,
    close_code: OnceLock<CloseCode>,
    takes_commands: AtomicBool,
    has_commands: AtomicBool,
}

impl LinkHandle {
    /// A link of `agent` whose first frame was `hello`.
    pub(super) fn new(
        id: LinkId,
        agent: AgentIdentity,
        hello: &Hello,
        abilities: Arc<Abilities>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            agent,
            slot: hello.worker_id.clone(),
            pid: hello.worker_pid,
            started_at: started_at(hello),
            connected_at: now,
            outbox: Outbox::default(),
            abilities,
            closing: CancellationToken::new(),
            close_code: OnceLock::new(),
            takes_commands: AtomicBool::new(false),
            has_commands: AtomicBool::new(false),
        }
    }

    /// The agent's id.
    pub(crate) const fn agent_id(&self) -> AgentId {
        self.agent.agent_id
    }

    /// The tenant.
    pub(crate) const fn project_id(&self) -> ProjectId {
        self.agent.project_id
    }

    /// What the process says that it can do.
    pub(super) const fn abilities(&self) -> &Arc<Abilities> {
        &self.abilities
    }

    /// The engines that the process serves.
    pub(crate) fn engines(&self) -> &[String] {
        &self.abilities.engines
    }

    /// The capability tokens of each adapter.
    pub(crate) fn capabilities(&self) -> &BTreeMap<String, Vec<String>> {
        &self.abilities.capabilities
    }

    /// Whether the process can carry out `action` on `engine`.
    pub(crate) fn ability(&self, action: Action, engine: &str) -> Result<(), Inability> {
        ability::ability(self.engines(), self.capabilities(), action, engine)
    }

    /// Asks for the link to be closed with `code`. The first request counts.
    pub(crate) fn close(&self, code: CloseCode) {
        let _ = self.close_code.set(code);
        self.closing.cancel();
        self.outbox.wake();
    }

    /// The code that the link shall be closed with.
    pub(crate) fn close_code(&self) -> Option<CloseCode> {
        self.close_code.get().copied()
    }

    /// Whether the other end has lost its rights: nothing that it sent may have an effect any more.
    pub(crate) fn is_revoked(&self) -> bool {
        self.close_code() == Some(CloseCode::Revoked)
    }

    /// Ends when the link shall be closed.
    pub(crate) async fn closing(&self) -> CloseCode {
        self.closing.cancelled().await;
        self.close_code().unwrap_or(CloseCode::GoingAway)
    }

    /// From now on it takes commands. Whoever says so tells the store when the link ends.
    pub(super) fn take_commands(&self) {
        self.takes_commands.store(true, Ordering::Release);
    }

    /// Whether it takes commands: not before it is sure that both ends agree on it.
    pub(super) fn takes_commands(&self) -> bool {
        self.takes_commands.load(Ordering::Acquire)
    }

    /// Notes that commands were claimed for this link, so that its end must be told to the store.
    pub(crate) fn note_commands(&self) {
        self.has_commands.store(true, Ordering::Release);
    }

    /// Whether commands were ever claimed for this link.
    pub(crate) fn has_commands(&self) -> bool {
        self.has_commands.load(Ordering::Acquire)
    }
}

fn started_at(hello: &Hello) -> Option<Timestamp> {
    Timestamp::parse(hello.worker_started_at.as_deref()?, true).ok()
}
