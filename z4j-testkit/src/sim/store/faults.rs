//! The faults of a simulated database, and what the oracle sees of each write.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use z4j_core::id::{LinkId, ProjectId};
use z4j_core::store::{
    AdvanceCommand, AdvanceOutcome, ClaimCommands, CommandRow, ForgetOutcome, ForgetReplica,
    IngestBatch, IngestReceipt, IssueCommand, IssueOutcome, LeaseOutcome, LeaseRequest, StateCount,
    Store, StoreError, StoreErrorKind,
};
use z4j_core::time::Timestamp;

use super::StoreHooks;
use crate::sim::oracle::Oracle;
use crate::sim::{Chance, Situation};

/// How a database goes wrong. Rates are in thousandths of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFault {
    /// Writes fail, and nothing happened.
    FailBefore(u64),
    /// Writes fail, and happened.
    FailAfter(u64),
    /// Writes take this long.
    Stall(u64, Duration),
    /// Everything fails with this.
    Down(StoreErrorKind),
}

#[derive(Debug)]
struct State {
    chance: Chance,
    faults: Vec<(u32, StoreFault)>,
}

/// The faults in force. Clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct StoreWeather(Arc<Mutex<State>>);

/// What becomes of one call.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    wait: Duration,
    is_stalled: bool,
    error: Option<StoreErrorKind>,
}

impl StoreWeather {
    pub(crate) fn new(chance: Chance) -> Self {
        Self(Arc::new(Mutex::new(State {
            chance,
            faults: Vec::new(),
        })))
    }

    pub(crate) fn begin(&self, number: u32, fault: StoreFault) {
        self.lock().faults.push((number, fault));
    }

    pub(crate) fn end(&self, number: u32) {
        self.lock().faults.retain(|(known, _)| *known != number);
    }

    pub(crate) fn heal(&self) {
        self.lock().faults.clear();
    }

    /// Whether the store takes no writes at all.
    pub(crate) fn is_down(&self) -> bool {
        let state = self.lock();
        let mut faults = state.faults.iter();
        faults.any(|(_, fault)| matches!(fault, StoreFault::Down(_)))
    }

    fn before(&self, is_write: bool) -> Fate {
        let mut state = self.lock();
        let State { chance, faults } = &mut *state;
        let mut fate = Fate::default();
        // Most answers come at once; some take a while, so that calls overlap.
        if chance.happens(if is_write { 200 } else { 30 }) {
            fate.wait = chance.ms(1, 3);
        }
        for (_, fault) in faults {
            match *fault {
                StoreFault::FailBefore(rate) if is_write && chance.happens(rate) => {
                    fate.error = Some(StoreErrorKind::Unavailable);
                }
                StoreFault::Stall(rate, wait) if is_write && chance.happens(rate) => {
                    fate.wait = fate.wait.max(wait);
                    fate.is_stalled = true;
                }
                StoreFault::Down(kind)
                    if is_write || matches!(kind, StoreErrorKind::Unavailable) =>
                {
                    fate.error = Some(kind);
                }
                _ => {}
            }
        }
        fate
    }

    fn after(&self, is_write: bool) -> Fate {
        let mut state = self.lock();
        let State { chance, faults } = &mut *state;
        let mut fate = Fate::default();
        // What was read may be old by the time it arrives.
        if chance.happens(if is_write { 200 } else { 60 }) {
            fate.wait = chance.ms(1, 8);
        }
        for (_, fault) in faults {
            if let StoreFault::FailAfter(rate) = *fault
                && is_write
                && chance.happens(rate)
            {
                fate.error = Some(StoreErrorKind::Unavailable);
            }
        }
        fate
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a store fail, and shows each of its writes to the oracle.
#[derive(Debug)]
pub(crate) struct FaultHooks {
    weather: StoreWeather,
    oracle: Arc<Oracle>,
}

impl FaultHooks {
    pub(crate) const fn new(weather: StoreWeather, oracle: Arc<Oracle>) -> Self {
        Self { weather, oracle }
    }

    fn rows<'r>(&self, rows: impl IntoIterator<Item = &'r CommandRow>) {
        for row in rows {
            self.oracle.command_row(row);
        }
    }

    async fn suffer(&self, fate: Fate, method: &'static str) -> Result<(), StoreError> {
        let record = self.oracle.record();
        if fate.is_stalled {
            record.meet(Situation::StoreStalled);
        }
        if !fate.wait.is_zero() {
            tokio::time::sleep(fate.wait).await;
        }
        match fate.error {
            Some(kind) => Err(StoreError::new(kind, method)),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl StoreHooks for FaultHooks {
    async fn before(&self, method: &'static str, is_write: bool) -> Result<(), StoreError> {
        let fate = self.weather.before(is_write);
        if fate.error.is_some() && method == "ingest" {
            let is_down = self.weather.is_down();
            self.oracle.record().meet(if is_down {
                Situation::StoreDown
            } else {
                Situation::CommitFailed
            });
        }
        self.suffer(fate, method).await
    }

    async fn after(&self, method: &'static str, is_write: bool) -> Result<(), StoreError> {
        let fate = self.weather.after(is_write);
        if fate.error.is_some() && method == "ingest" {
            self.oracle.record().meet(Situation::CommitAnswerLost);
        }
        self.suffer(fate, method).await
    }

    fn fenced(&self, _method: &'static str) {
        self.oracle.record().meet(Situation::FencedWrite);
    }

    async fn ingest(
        &self,
        store: &dyn Store,
        batch: IngestBatch,
    ) -> Result<IngestReceipt, StoreError> {
        let receipt = store.ingest(batch.clone()).await?;
        self.oracle.committed(&batch, &receipt);
        Ok(receipt)
    }

    async fn state_counts(
        &self,
        store: &dyn Store,
        project: ProjectId,
    ) -> Result<Vec<StateCount>, StoreError> {
        store.state_counts(project).await
    }

    async fn issue_command(
        &self,
        store: &dyn Store,
        command: IssueCommand,
    ) -> Result<IssueOutcome, StoreError> {
        let outcome = store.issue_command(command).await?;
        if let IssueOutcome::Issued(row) = &outcome {
            self.rows([row]);
        }
        Ok(outcome)
    }

    async fn claim_commands(
        &self,
        store: &dyn Store,
        claim: ClaimCommands,
    ) -> Result<Vec<CommandRow>, StoreError> {
        let rows = store.claim_commands(claim).await?;
        self.rows(&rows);
        Ok(rows)
    }

    async fn advance_command(
        &self,
        store: &dyn Store,
        advance: AdvanceCommand,
    ) -> Result<AdvanceOutcome, StoreError> {
        let outcome = store.advance_command(advance).await?;
        if let AdvanceOutcome::Advanced(row) = &outcome {
            self.rows([row]);
        }
        Ok(outcome)
    }

    async fn lose_link(
        &self,
        store: &dyn Store,
        link: LinkId,
        at: Timestamp,
    ) -> Result<Vec<CommandRow>, StoreError> {
        let rows = store.lose_link(link, at).await?;
        self.rows(&rows);
        Ok(rows)
    }

    async fn expire_commands(
        &self,
        store: &dyn Store,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<CommandRow>, StoreError> {
        let rows = store.expire_commands(now, limit).await?;
        self.rows(&rows);
        Ok(rows)
    }

    async fn forget_replica(
        &self,
        store: &dyn Store,
        forget: ForgetReplica,
    ) -> Result<ForgetOutcome, StoreError> {
        let outcome = store.forget_replica(forget).await?;
        if let ForgetOutcome::Forgotten(estate) = &outcome {
            self.rows(&estate.commands);
            self.oracle.record().meet(Situation::BrainBuried);
        }
        Ok(outcome)
    }

    async fn try_lease(
        &self,
        store: &dyn Store,
        request: LeaseRequest,
    ) -> Result<LeaseOutcome, StoreError> {
        let outcome = store.try_lease(request).await?;
        match &outcome {
            LeaseOutcome::Held(grant) => self.oracle.lease_held(grant),
            LeaseOutcome::Taken { .. } => self.oracle.record().meet(Situation::LeaseRefused),
        }
        Ok(outcome)
    }
}
