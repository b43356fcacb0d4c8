//! What an agent says of a command.

use std::time::Duration;

use serde::Deserialize;
use z4j_core::command::{Action, CommandInput};
use z4j_core::id::{CommandId, LinkId, TaskKey};
use z4j_core::limits;
use z4j_core::redact::Redactor;
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, AgentIdentity, CommandRow, RetryLink, StoreError,
};
use z4j_core::time::Timestamp;
use z4j_core::wire::{CommandResult, CommandStatus};

use crate::ingest::{redact_json_text, redact_text};
use crate::shared::Shared;

/// What an answer takes beside its texts.
const ANSWERED_BYTES: usize = 256;

/// What an agent says of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has it.
    Ack,
    /// What came of it.
    Result {
        /// For the command machine.
        input: CommandInput,
        /// What the engine said, redacted.
        result: Option<String>,
        /// Why it failed, redacted.
        error: Option<String>,
        /// The new task's id, of a retry that was carried out.
        new_task_id: Option<String>,
    },
}

impl Answer {
    /// Reads a result. INDETERMINATE is not a failure: nobody knows whether it happened (protocol §6.3).
    pub(crate) fn result(shared: &Shared, result: &CommandResult<'_>) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Shape {
            new_task_id: serde_json::Value,
        }
        let input = match result.status {
            CommandStatus::Success => CommandInput::Succeeded,
            CommandStatus::Failed => CommandInput::Failed {
                indeterminate: result.is_indeterminate(),
            },
        };
        let shape: Shape = result.result.decode_owned().unwrap_or_default();
        let error = result.error.as_deref();
        let error = error.map(|error| kept_error(&*shared.redactor, error));
        let kept = (!result.result.is_null()).then(|| result.result.as_str());
        Self::Result {
            input,
            result: kept.and_then(|json| redact_json_text(&*shared.redactor, json)),
            error,
            new_task_id: shape.new_task_id.as_str().map(str::to_owned),
        }
    }
}

/// What which agent said of which command.
#[derive(Debug)]
pub(super) struct Answered {
    /// Who. Only the agent that has a command can change it.
    pub(super) agent: AgentIdentity,
    /// On which link. Not the link itself: the answer may outlive it.
    pub(super) link_id: LinkId,
    /// The command.
    pub(super) id: CommandId,
    /// What.
    pub(super) answer: Answer,
    /// When.
    pub(super) at: Timestamp,
    /// The same by the clock that never goes back.
    pub(super) since: Duration,
}

impl Answered {
    /// What it takes of the brain's memory.
    pub(super) fn bytes(&self) -> usize {
        let Answer::Result {
            result,
            error,
            new_task_id,
            ..
        } = &self.answer
        else {
            return ANSWERED_BYTES;
        };
        let texts = [result, error, new_task_id];
        ANSWERED_BYTES + texts.into_iter().flatten().map(String::len).sum::<usize>()
    }

    /// Tells the store, and then those who follow the command.
    pub(super) async fn advance(&self, shared: &Shared) -> Result<(), StoreError> {
        let mut advance = AdvanceCommand {
            id: self.id,
            agent_id: Some(self.agent.agent_id),
            heard_on: Some(self.link_id),
            input: CommandInput::AckReceived,
            result: None,
            error: None,
            at: self.at,
            retry_link: None,
            audit: None,
        };
        if let Answer::Result {
            input,
            result,
            error,
            new_task_id,
        } = &self.answer
        {
            advance.input = *input;
            advance.result.clone_from(result);
            advance.error.clone_from(error);
            if *input == CommandInput::Succeeded && new_task_id.is_some() {
                let project = self.agent.project_id;
                let command = shared.store.command(project, self.id).await?;
                advance.retry_link =
                    command.and_then(|command| retry_link(&command, new_task_id.clone()));
            }
        }
        match shared.store.advance_command(advance).await? {
            AdvanceOutcome::Advanced(command) => shared.dispatcher.publish(shared, command),
            AdvanceOutcome::Absorbed(_) => {}
            AdvanceOutcome::NotFound => {
                tracing::warn!(agent = %self.agent.name, "an agent answered a command that is not its own");
            }
        }
        Ok(())
    }
}

/// The start of an error text. It is redacted as a whole and cut after: a secret that a cut takes apart has no shape left
/// to be found by.
fn kept_error(redactor: &dyn Redactor, error: &str) -> String {
    let mut kept = redact_text(redactor, error);
    kept.truncate(kept.floor_char_boundary(limits::ERROR_TEXT_CHARS_MAX));
    kept
}

/// The family link that a finished retry made. A retry by reference may keep the task's id: that is no new task.
fn retry_link(command: &CommandRow, new_task_id: Option<String>) -> Option<RetryLink> {
    #[derive(Deserialize)]
    struct Shape {
        engine: String,
        task_id: String,
    }
    if command.action != Action::RetryTask.as_str() {
        return None;
    }
    let original: Shape = serde_json::from_str(&command.payload).ok()?;
    let retry_task_id = new_task_id.filter(|id| {
        *id != original.task_id && !id.is_empty() && id.chars().count() <= limits::TASK_ID_CHARS_MAX
    })?;
    Some(RetryLink {
        original: TaskKey::new(original.engine, original.task_id),
        retry_task_id,
    })
}

#[cfg(test)]
mod tests {
    use z4j_core::redact::{DefaultRedactor, MARKER};

    use super::*;

    #[test]
    fn a_secret_that_the_cut_would_take_apart_hides_the_whole_error() {
        let secret = "AKIAABCDEFGHIJKLMNOP";
        for lead in (limits::ERROR_TEXT_CHARS_MAX - secret.len())..limits::ERROR_TEXT_CHARS_MAX + 10
        {
            let error = format!("{} {secret}", "x".repeat(lead));
            assert_eq!(
                kept_error(&DefaultRedactor::strict(), &error),
                MARKER,
                "{lead}"
            );
        }
    }

    #[test]
    fn a_long_error_without_secrets_is_cut_between_characters() {
        let error = "ö".repeat(limits::ERROR_TEXT_CHARS_MAX);
        let kept = kept_error(&DefaultRedactor::strict(), &error);
        assert_eq!(kept, "ö".repeat(limits::ERROR_TEXT_CHARS_MAX / 2));
        assert_eq!(
            kept_error(&DefaultRedactor::strict(), "no such queue"),
            "no such queue"
        );
    }
}
