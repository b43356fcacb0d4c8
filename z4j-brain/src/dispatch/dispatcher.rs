//! Wakes up for commands, and settles what agents say of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use z4j_core::command::{Action, CommandInput};
use z4j_core::id::{AgentId, CommandId, ProjectId};
use z4j_core::store::{AdvanceCommand, AdvanceOutcome, CommandRow, StoreError, Topic};
use z4j_core::wire::SignError;

use super::answer::{self, Answer};
use super::late::{LateAnswer, LateAnswers};
use super::sweep;
use crate::link::{LinkHandle, OutgoingCommand};
use crate::live::Delta;
use crate::ops::chain;
use crate::shared::Shared;
use crate::upkeep::is_passing;

/// Commands are looked for this often even if nobody says that there are any: hints may be lost.
const POLL: Duration = Duration::from_secs(1);

/// Hands commands to links.
#[derive(Debug, Default)]
pub(crate) struct Dispatcher {
    wake: Notify,
    late: LateAnswers,
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

    /// Hands commands out until `stop`.
    pub(crate) async fn run(&self, shared: &Shared, stop: &CancellationToken) {
        let mut hints = shared.store.wakeups(Topic::Commands);
        let mut has_hints = true;
        while !stop.is_cancelled() {
            sweep::sweep(shared).await;
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
        self.late.run(shared, stop).await;
    }

    /// Takes what an agent says of a command. Only the agent that has it can change it.
    pub(crate) async fn answered(
        &self,
        shared: &Shared,
        link: &Arc<LinkHandle>,
        id: CommandId,
        answer: Answer,
    ) {
        let answered = LateAnswer {
            link: Arc::clone(link),
            id,
            answer,
            since: shared.env.elapsed(),
        };
        if let Some(late) = self.offer(shared, answered).await
            && !self.late.push(late)
        {
            tracing::error!(command = %id, agent = %link.agent.name, "an answer to a command is given up: too many wait for the store");
        }
    }

    /// Offers an answer to the store, and gives it back if that may take it later.
    pub(super) async fn offer(&self, shared: &Shared, answered: LateAnswer) -> Option<LateAnswer> {
        let (link, id) = (&*answered.link, answered.id);
        let error = match advance(shared, link, id, &answered.answer).await {
            Ok(outcome) => {
                self.settle(shared, link, outcome);
                return None;
            }
            Err(error) => error,
        };
        let waits = is_passing(error.kind());
        shared.hub.doubts().of(link.project_id());
        shared.metrics.store_fault(error.kind().as_str());
        tracing::warn!(command = %id, agent = %link.agent.name, error = %chain(&error), waits, "the store did not take an answer to a command");
        waits.then_some(answered)
    }

    fn settle(&self, shared: &Shared, link: &LinkHandle, outcome: AdvanceOutcome) {
        match outcome {
            AdvanceOutcome::Advanced(command) => self.publish(shared, command),
            AdvanceOutcome::Absorbed(_) => {}
            AdvanceOutcome::NotFound => {
                tracing::warn!(agent = %link.agent.name, "an agent answered a command that is not its own");
            }
        }
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

async fn advance(
    shared: &Shared,
    link: &LinkHandle,
    id: CommandId,
    answer: &Answer,
) -> Result<AdvanceOutcome, StoreError> {
    let mut advance = AdvanceCommand {
        id,
        agent_id: Some(link.agent_id()),
        input: CommandInput::AckReceived,
        result: None,
        error: None,
        at: shared.replicas.now(&shared.env),
        retry_link: None,
        audit: None,
    };
    if let Answer::Result {
        input,
        result,
        error,
        new_task_id,
    } = answer
    {
        advance.input = *input;
        advance.result.clone_from(result);
        advance.error.clone_from(error);
        if *input == CommandInput::Succeeded && new_task_id.is_some() {
            let command = shared.store.command(link.project_id(), id).await?;
            advance.retry_link =
                command.and_then(|command| answer::retry_link(&command, new_task_id.clone()));
        }
    }
    shared.store.advance_command(advance).await
}
