//! Stores with a bug each.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;
use z4j_core::id::{EventId, ProjectId};
use z4j_core::identity::encode_name;
use z4j_core::store::{
    EventOutcome, IngestBatch, IngestEvent, IngestReceipt, IssueCommand, IssueOutcome,
    LeaseOutcome, LeaseRequest, StateCount, Store, StoreError, StoreErrorKind,
};
use z4j_core::task::TaskState;
use z4j_core::time::Timestamp;
use z4j_testkit::sim::StoreHooks;

/// Answers, and writes with the next batch.
#[derive(Debug, Default)]
pub(crate) struct AckBeforeCommit(Mutex<Option<IngestBatch>>);

#[async_trait]
impl StoreHooks for AckBeforeCommit {
    async fn ingest(
        &self,
        store: &dyn Store,
        batch: IngestBatch,
    ) -> Result<IngestReceipt, StoreError> {
        let outcomes = vec![EventOutcome::Inserted; batch.events.len()];
        let earlier = self.0.lock().unwrap().replace(batch);
        if let Some(earlier) = earlier {
            let _ = store.ingest(earlier).await?;
        }
        Ok(IngestReceipt {
            outcomes,
            ..IngestReceipt::default()
        })
    }
}

/// Counts in a second transaction, which a crash can keep from happening.
#[derive(Debug, Default)]
pub(crate) struct CountersApart(Mutex<BTreeMap<(ProjectId, TaskState), i64>>);

#[async_trait]
impl StoreHooks for CountersApart {
    async fn ingest(
        &self,
        store: &dyn Store,
        batch: IngestBatch,
    ) -> Result<IngestReceipt, StoreError> {
        let receipt = store.ingest(batch).await?;
        tokio::time::sleep(Duration::from_millis(80)).await;
        let mut counts = self.0.lock().unwrap();
        for change in &receipt.changes {
            let Some(step) = change.transition else {
                continue;
            };
            if let Some(from) = step.from {
                *counts.entry((change.project_id, from)).or_default() -= 1;
            }
            *counts.entry((change.project_id, step.to)).or_default() += 1;
        }
        drop(counts);
        Ok(receipt)
    }

    async fn state_counts(
        &self,
        _: &dyn Store,
        project: ProjectId,
    ) -> Result<Vec<StateCount>, StoreError> {
        let counts = self.0.lock().unwrap();
        let of_project = counts.iter().filter(|((owner, _), _)| *owner == project);
        Ok(of_project
            .map(|((_, state), count)| StateCount {
                state: *state,
                count: u64::try_from(*count).unwrap_or(0),
            })
            .collect())
    }
}

/// Stores events under another identity.
#[derive(Debug)]
pub(crate) struct Renamed(pub(crate) fn(&IngestEvent) -> Option<EventId>);

#[async_trait]
impl StoreHooks for Renamed {
    async fn ingest(
        &self,
        store: &dyn Store,
        mut batch: IngestBatch,
    ) -> Result<IngestReceipt, StoreError> {
        for event in &mut batch.events {
            if let Some(id) = (self.0)(event) {
                event.id = id;
            }
        }
        store.ingest(batch).await
    }
}

fn name(event: &IngestEvent, more: &str) -> EventId {
    let kind = event.kind.to_string();
    let parts = [&*event.engine, &*event.task_id, kind.as_str(), more];
    EventId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, &encode_name(&parts)))
}

/// The identity as it should be, of another time: that of `event_id` in core.
fn id_at(event: &IngestEvent, at: Timestamp) -> EventId {
    z4j_core::identity::event_id(&z4j_core::identity::EventOrigin {
        project: event.project_id,
        engine: &event.engine,
        task_id: &event.task_id,
        kind: &event.kind.to_string(),
        occurred_at: &at.to_string(),
        agent_event_id: "",
        frame_id: "",
        index: 0,
    })
}

/// Whole seconds, as the published brain has it; an event at a whole second keeps its name.
pub(crate) fn to_the_second(event: &IngestEvent) -> Option<EventId> {
    let seconds = event.sent_at.as_micros() / 1_000_000;
    Some(id_at(event, Timestamp::from_micros(seconds * 1_000_000)))
}

/// The time as shown: only events from outside the accepted window get another name, at each arrival a new one.
pub(crate) fn clamped(event: &IngestEvent) -> Option<EventId> {
    (event.occurred_at != event.sent_at).then(|| id_at(event, event.occurred_at))
}

/// Who reports it is part of the name.
pub(crate) fn with_agent(event: &IngestEvent) -> Option<EventId> {
    let more = format!("{} {}", event.sent_at, event.agent_id);
    Some(name(event, &more))
}

/// Gives the lease to whoever asks, under one number.
#[derive(Debug)]
pub(crate) struct LeaseUnfenced;

#[async_trait]
impl StoreHooks for LeaseUnfenced {
    async fn try_lease(
        &self,
        _: &dyn Store,
        request: LeaseRequest,
    ) -> Result<LeaseOutcome, StoreError> {
        Ok(LeaseOutcome::Held(z4j_core::store::LeaseGrant {
            name: request.name,
            holder: request.holder,
            fence: 1,
        }))
    }
}

/// Writes the audit entry in a transaction of its own, before the effect, which then sometimes fails.
#[derive(Debug, Default)]
pub(crate) struct AuditApart(AtomicU64);

#[async_trait]
impl StoreHooks for AuditApart {
    async fn issue_command(
        &self,
        store: &dyn Store,
        command: IssueCommand,
    ) -> Result<IssueOutcome, StoreError> {
        store.append_audit(vec![command.audit.clone()]).await?;
        if self.0.fetch_add(1, Ordering::Relaxed) % 5 == 4 {
            let fault = StoreErrorKind::Unavailable;
            return Err(StoreError::new(fault, "issue_command"));
        }
        store.issue_command(command).await
    }
}
