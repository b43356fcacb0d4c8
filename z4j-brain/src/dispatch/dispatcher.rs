//! Wakes up for commands, and settles what agents say of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use z4j_core::command::Action;
use z4j_core::id::{AgentId, CommandId, ProjectId};
use z4j_core::store::{CommandRow, Topic};
use z4j_core::wire::SignError;

use super::answer::{Answer, Answered};
use super::answers::Answers;
use super::lost::{LostLink, LostLinks};
use super::sweep;
use crate::link::{LinkHandle, OutgoingCommand};
use crate::live::Delta;
use crate::ops::chain;
use crate::shared::Shared;

/// Commands are looked for this often even if nobody says that there are any: hints may be lost.
const POLL: Duration = Duration::from_secs(1);

/// Hands commands to links.
#[derive(Debug, Default)]
pub(crate) struct Dispatcher {
    wake: Notify,
    answers: Answers,
    lost: LostLinks,
}

impl Dispatcher {
    /// There may be commands for links of this brain.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// The link of this brain that a new command can be claimed for as it is written. Its end is told to the store from now on.
    pub(crate) fn link_for(
        &self,
        shared: &Shared,
        project: ProjectId,
        agent: AgentId,
        wanted: (Action, &str),
    ) -> Option<Arc<LinkHandle>> {
        let link = sweep::link_for(shared, project, agent, wanted)?;
        link.note_commands();
        Some(link)
    }

    /// Sends a new command that was claimed for `link` as it was written.
    pub(crate) async fn send(&self, shared: &Shared, link: &LinkHandle, command: CommandRow) {
        let (id, at) = (command.id, command.issued_at);
        if let Err(error) = sweep::hand_over(shared, link, vec![command], at).await {
            shared.hub.doubts().of(link.project_id());
            shared.metrics.store_fault(error.kind().as_str());
            tracing::warn!(command = %id, error = %chain(&error), "a command whose link ended is left to its deadline");
        }
    }

    /// Takes back from a link that has ended what it had, and tells the store of its end.
    pub(crate) async fn lose(&self, shared: &Shared, link: &LinkHandle) {
        let lost = self.lost.lose(shared, LostLink::new(shared, link)).await;
        self.taken_back(shared, lost);
    }

    /// For after a claim, also one whose answer was lost: a link that is over may have told the store so before the claim.
    pub(crate) async fn lose_if_over(&self, shared: &Shared, link: &LinkHandle) {
        if link.close_code().is_some() {
            self.lose(shared, link).await;
        }
    }

    /// As [`Self::lose`], for whoever cannot wait for it.
    pub(crate) fn lose_soon(&self, shared: &Shared, link: &LinkHandle) {
        self.lost.push(LostLink::new(shared, link));
        self.wake();
    }

    /// The same again where the store did not take it.
    async fn lose_again(&self, shared: &Shared) {
        let lost = self.lost.retry(shared).await;
        self.taken_back(shared, lost);
    }

    fn taken_back(&self, shared: &Shared, commands: Vec<CommandRow>) {
        if commands.is_empty() {
            return;
        }
        for command in commands {
            self.publish(shared, command);
        }
        self.wake();
    }

    /// Hands commands out until `stop`. What is left of lost links then is taken back when this brain is forgotten.
    pub(crate) async fn run(&self, shared: &Shared, stop: &CancellationToken) {
        let mut hints = shared.store.wakeups(Topic::Commands);
        let mut has_hints = true;
        while !stop.is_cancelled() {
            // Side by side: one link that somebody holds up must not keep new commands waiting.
            tokio::join!(self.lose_again(shared), sweep::sweep(shared));
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                hint = hints.next(), if has_hints => has_hints = hint.is_some(),
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Offers the store what it did not take of answers until `stop`.
    pub(crate) async fn run_late(&self, shared: &Shared, stop: &CancellationToken) {
        self.answers.run(shared, stop).await;
    }

    /// Takes what an agent says of a command. Whoever stops waiting takes nothing back.
    pub(crate) async fn answered(
        &self,
        shared: &Shared,
        link: &LinkHandle,
        id: CommandId,
        answer: Answer,
    ) {
        let answered = Answered {
            agent: link.agent.clone(),
            link_id: link.id,
            id,
            answer,
            at: shared.replicas.now(&shared.env),
            since: shared.env.elapsed(),
        };
        self.answers.take(shared, answered).await;
    }

    /// Tells dashboards and counters of a command that changed.
    pub(crate) fn publish(&self, shared: &Shared, command: CommandRow) {
        if command.state.is_terminal() {
            shared.metrics.command_settled(command.state.as_str());
        }
        shared
            .hub
            .publish(command.project_id, Delta::Command(command.id));
    }

    /// A command that cannot be put into a frame is left to its deadline, which settles it honestly.
    pub(crate) fn cannot_be_sent(
        &self,
        shared: &Shared,
        link: &LinkHandle,
        command: &OutgoingCommand,
        error: &SignError,
    ) {
        shared.metrics.command_settled("unsendable");
        tracing::error!(command = %command.id, agent = %link.agent.name, error = %chain(error), "a command cannot be sent");
    }
}
