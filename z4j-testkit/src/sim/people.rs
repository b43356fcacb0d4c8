//! People who press buttons: commands are written to the store, and asked for again when the answer is lost.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use z4j_core::audit::{Actor, AuditDraft, AuditKey, ChainId};
use z4j_core::command::Action;
use z4j_core::env::Clock as _;
use z4j_core::id::{AuditId, CommandId};
use z4j_core::store::{AuditWrite, IssueCommand, IssueOutcome, Store};

use super::Chance;
use super::brain::Brains;
use super::fleet::{Fleet, Slot};
use super::oracle::{IssuedCommand, Oracle};

const ACTIONS: [Action; 4] = [
    Action::RetryTask,
    Action::PurgeQueue,
    Action::CancelTask,
    Action::ReconcileTask,
];
/// How often a person asks again.
const TRIES: u32 = 4;
/// A brain's clock that is off by more is not used to set deadlines: they would be in another hour.
const SKEW_MAX_MICROS: i64 = 5_000_000;

/// Asks for commands until it is dropped.
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) brains: Arc<Brains>,
    pub(crate) oracle: Arc<Oracle>,
    /// With faults, as a brain sees it.
    pub(crate) store: Arc<dyn Store>,
    pub(crate) key: Arc<AuditKey>,
    pub(crate) seed: u64,
}

impl People {
    pub(crate) async fn run(self) {
        let mut chance = Chance::new(self.seed, "people");
        loop {
            tokio::time::sleep(chance.ms(1_500, 12_000)).await;
            let slots = self.fleet.slots();
            if let Some(slot) = chance.pick(&slots) {
                self.ask(slot, &mut chance).await;
            }
        }
    }

    async fn ask(&self, slot: &Slot, chance: &mut Chance) {
        let Some(clock) = chance
            .pick(&self.brains.up())
            .and_then(|no| self.brains.clock(*no))
        else {
            return;
        };
        if clock.ahead().abs() > SKEW_MAX_MICROS {
            return;
        }
        let Some(action) = chance.pick(&ACTIONS).copied() else {
            return;
        };
        let id = CommandId::from_u128(wide(chance));
        let audit = AuditId::from_u128(wide(chance));
        let now = clock.now();
        let timeout_at = now.plus(Duration::from_secs(chance.between(5, 40)));
        let task_id = format!("task-{}", chance.below(1000));
        let target = format!("celery:{task_id}");
        let draft = AuditDraft::new(now, Actor::System, "command.issue");
        let command = IssueCommand {
            id,
            project_id: slot.project,
            agent_id: slot.agent,
            issued_by: None,
            action: action.as_str().to_owned(),
            target_type: "task".to_owned(),
            target_id: target,
            payload: json!({ "engine": "celery", "task_id": task_id }).to_string(),
            idempotency: None,
            issued_at: now,
            timeout_at,
            claim_for: None,
            audit: AuditWrite {
                id: audit,
                chain: ChainId::Project(slot.project),
                draft,
                key: Arc::clone(&self.key),
            },
        };
        self.oracle.asked(IssuedCommand {
            id,
            project: slot.project,
            agent: slot.agent,
            action,
            audit,
        });
        self.write(command, chance).await;
    }

    async fn write(&self, command: IssueCommand, chance: &mut Chance) {
        let id = command.id;
        for _ in 0..TRIES {
            match self.store.issue_command(command.clone()).await {
                Ok(IssueOutcome::Issued(row) | IssueOutcome::Repeated(row)) => {
                    if row.id != id {
                        let detail = format!("command {id} was answered as {}", row.id);
                        self.oracle.record().violate("retry_same_answer", detail);
                    }
                    return self.oracle.confirmed(id);
                }
                Ok(IssueOutcome::KeyReused) => {
                    let detail = format!("command {id} without a key was answered as a reuse");
                    return self.oracle.record().violate("retry_same_answer", detail);
                }
                Err(_) => tokio::time::sleep(chance.ms(200, 900)).await,
            }
            if chance.happens(150) {
                break;
            }
        }
        self.oracle.given_up(id);
    }
}

fn wide(chance: &mut Chance) -> u128 {
    u128::from(chance.next()) << 64 | u128::from(chance.next())
}
