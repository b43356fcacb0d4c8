//! What an agent says of a command.

use serde::Deserialize;
use z4j_core::command::{Action, CommandInput};
use z4j_core::id::TaskKey;
use z4j_core::limits;
use z4j_core::redact::Redactor;
use z4j_core::store::{CommandRow, RetryLink};
use z4j_core::wire::{CommandResult, CommandStatus};

use crate::ingest::{redact_json_text, redact_text};
use crate::shared::Shared;

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

    /// Bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        let Self::Result {
            result,
            error,
            new_task_id,
            ..
        } = self
        else {
            return 0;
        };
        let texts = [result, error, new_task_id];
        texts.into_iter().flatten().map(String::len).sum()
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
pub(super) fn retry_link(command: &CommandRow, new_task_id: Option<String>) -> Option<RetryLink> {
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
