//! What a command comes to, and how the wire says it.

use serde_json::{Map, Value, json};
use z4j_core::limits;
use z4j_core::wire::CommandStatus;

/// The most of an engine's own words that an error repeats, in characters.
const REASON_CHARS_MAX: usize = limits::ERROR_TEXT_CHARS_MAX - 200;

/// What became of a job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum JobOutcome {
    /// Done; the result is redacted.
    Done(Map<String, Value>),
    /// Not done, and without effect; one redacted sentence.
    Failed(String),
    /// Nobody knows; one redacted sentence says why.
    Unknown {
        /// The action that was tried.
        operation: String,
        /// Why it is not known.
        reason: String,
    },
}

/// The payload of a command_result without its claim token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResultBody {
    pub(crate) status: CommandStatus,
    pub(crate) result: Option<Map<String, Value>>,
    pub(crate) error: Option<String>,
    /// Whether a result was left out because no frame could carry it.
    pub(crate) result_dropped: bool,
}

impl ResultBody {
    pub(crate) const fn done(result: Map<String, Value>) -> Self {
        Self {
            status: CommandStatus::Success,
            result: Some(result),
            error: None,
            result_dropped: false,
        }
    }

    pub(crate) fn failed(error: &str) -> Self {
        Self {
            status: CommandStatus::Failed,
            result: None,
            error: Some(cut(error)),
            result_dropped: false,
        }
    }

    /// The payload as JSON text.
    pub(crate) fn to_json(&self, claim_token: Option<&str>) -> String {
        json!({
            "status": self.status,
            "result": self.result,
            "error": self.error,
            "delivery_claim_token": claim_token,
        })
        .to_string()
    }

    /// Leaves out a result of more than so many bytes.
    pub(crate) fn shorten(&mut self, bytes_max: usize) {
        let bytes = serde_json::to_string(&self.result).map_or(0, |text| text.len());
        if bytes > bytes_max {
            *self = self.without_large_result(bytes);
        }
    }

    /// Whether it says for sure that the command had no effect.
    pub(crate) fn is_clear_failure(&self) -> bool {
        self.status == CommandStatus::Failed && self.result.is_none()
    }

    /// Says the same without a result that no frame can carry.
    pub(crate) fn without_large_result(&self, bytes: usize) -> Self {
        Self {
            status: self.status,
            result: json!({"result_dropped": true, "result_bytes": bytes})
                .as_object()
                .cloned(),
            error: self.error.clone(),
            result_dropped: true,
        }
    }
}

impl From<&JobOutcome> for ResultBody {
    fn from(outcome: &JobOutcome) -> Self {
        match outcome {
            JobOutcome::Done(result) => Self::done(result.clone()),
            JobOutcome::Failed(error) => Self::failed(error),
            JobOutcome::Unknown { operation, reason } => Self {
                status: CommandStatus::Failed,
                result: json!({"indeterminate": true, "operation": operation})
                    .as_object()
                    .cloned(),
                error: Some(format!("{operation} INDETERMINATE: {}", cut(reason))),
                result_dropped: false,
            },
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_outcome_is_failed_and_says_indeterminate_on_the_wire() {
        let body = ResultBody::from(&JobOutcome::Unknown {
            operation: "cancel_task".to_owned(),
            reason: "no answer".to_owned(),
        });
        let payload: Value = serde_json::from_str(&body.to_json(Some("claim"))).unwrap();
        assert_eq!(payload["status"], "failed");
        assert_eq!(
            payload["result"],
            json!({"indeterminate": true, "operation": "cancel_task"})
        );
        assert_eq!(payload["error"], "cancel_task INDETERMINATE: no answer");
        assert_eq!(payload["delivery_claim_token"], "claim");
    }

    #[test]
    fn a_long_error_is_cut_to_what_the_wire_takes() {
        let body = ResultBody::failed(&"ö".repeat(2 * limits::ERROR_TEXT_CHARS_MAX));
        assert!(body.error.unwrap().chars().count() <= limits::ERROR_TEXT_CHARS_MAX);
    }
}
