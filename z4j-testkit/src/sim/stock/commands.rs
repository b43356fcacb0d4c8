//! How a published agent carries commands out: one after the other, each success once.

use std::time::Duration;

use serde_json::{Value, json};
use z4j_core::id::CommandId;
use z4j_core::wire::{Command, CommandStatus};

use super::session::StockAgent;

/// A command that was taken from a frame.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) id: String,
    pub(super) action: String,
    pub(super) fire_id: Option<String>,
    pub(super) claim_token: Option<String>,
}

impl Taken {
    pub(super) fn of(id: &str, command: &Command<'_>) -> Self {
        let parameters: Value = command.parameters.decode_owned().unwrap_or_default();
        let fire_id = parameters.get("fire_id").and_then(Value::as_str);
        Self {
            id: id.to_owned(),
            action: command.action.to_string(),
            fire_id: fire_id.map(str::to_owned),
            claim_token: command.delivery_claim_token.clone(),
        }
    }

    /// What makes two commands the same.
    fn key(&self) -> String {
        let is_fire = self.action.starts_with("schedule.");
        match self.fire_id.as_ref().filter(|_| is_fire) {
            Some(fire_id) => format!("fire:{fire_id}"),
            None => format!("cmd:{}", self.id),
        }
    }

    /// The payload of the acknowledgement.
    pub(super) fn ack(&self) -> Value {
        json!({ "delivery_claim_token": self.claim_token })
    }
}

impl StockAgent {
    /// Carries a command out; the payload of its result, if it has one.
    pub(super) async fn carry_out(&mut self, command: &Taken) -> Option<Value> {
        let key = command.key();
        if self.disk.is_done(&key) {
            // Published agents acknowledge a repeated command and send no second result.
            return None;
        }
        let wait = self.chance.ms(5, 400);
        tokio::time::sleep(wait).await;
        if self.chance.happens(30) {
            // The engine hangs.
            tokio::time::sleep(Duration::from_secs(8)).await;
        }
        let outcome = self.chance.below(100);
        if let Ok(id) = command.id.parse::<CommandId>() {
            self.oracle.executed(self.process, id);
        }
        let (status, result, error) = match outcome {
            0..80 => {
                self.disk.did(key);
                (CommandStatus::Success, json!({ "done": true }), None)
            }
            80..92 => {
                let error = "the engine refused";
                (CommandStatus::Failed, Value::Null, Some(error))
            }
            _ => {
                let error = "cancel_task INDETERMINATE: the broker did not answer";
                let result = json!({ "indeterminate": true, "operation": command.action });
                (CommandStatus::Failed, result, Some(error))
            }
        };
        Some(json!({
            "status": status,
            "result": result,
            "error": error,
            "delivery_claim_token": command.claim_token,
        }))
    }
}
