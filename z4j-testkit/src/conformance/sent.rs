//! Events to send, and sending them.

use std::sync::Arc;

use bytes::Bytes;
use z4j_core::id::{AgentId, EventId, ProjectId};
use z4j_core::redact::Redacted;
use z4j_core::store::{EventOutcome, IngestBatch, IngestEvent, IngestReceipt, Store};
use z4j_core::task::{EventKind, TaskEvent, TaskFacts};
use z4j_core::time::Timestamp;

use super::scene::{ENGINE, at_s, seconds};

/// An event to send, changed by what the case needs.
#[derive(Clone)]
pub(super) struct Sent(pub(super) IngestEvent);

impl Sent {
    pub(super) fn new(
        project: ProjectId,
        agent: AgentId,
        kind: &str,
        task_id: &str,
        at: Timestamp,
    ) -> Self {
        let kind = EventKind::parse(kind);
        let id = identity(&[
            &project.to_string(),
            ENGINE,
            task_id,
            kind.as_str(),
            &at.to_string(),
        ]);
        let task = TaskEvent::new(kind.clone(), at).with_agent(agent);
        Self(IngestEvent {
            id,
            project_id: project,
            agent_id: agent,
            engine: Arc::from(ENGINE),
            kind,
            task_id: Box::from(task_id),
            sent_at: at,
            occurred_at: at,
            worker: None,
            queue: None,
            data: Redacted::vouch(Bytes::from_static(b"{}")),
            task: Some(task),
        })
    }

    pub(super) fn facts(mut self, change: impl FnOnce(&mut TaskFacts)) -> Self {
        if let Some(task) = &mut self.0.task {
            change(&mut task.facts);
        }
        self
    }

    pub(super) fn name(self, name: &str) -> Self {
        self.facts(|facts| facts.name = Some(Arc::from(name)))
    }

    pub(super) fn args(self, args: &str) -> Self {
        self.facts(|facts| facts.args = Some(Arc::from(args)))
    }

    pub(super) fn queue(mut self, queue: &str) -> Self {
        self.0.queue = Some(Box::from(queue));
        self.facts(|facts| facts.queue = Some(Arc::from(queue)))
    }

    pub(super) fn worker(mut self, worker: &str) -> Self {
        self.0.worker = Some(Box::from(worker));
        self.facts(|facts| facts.worker = Some(Arc::from(worker)))
    }

    pub(super) fn engine(mut self, engine: &str) -> Self {
        self.0.id = identity(&[&self.0.id.to_string(), engine]);
        self.0.engine = Arc::from(engine);
        self
    }

    pub(super) fn of_agent(mut self, agent: AgentId) -> Self {
        self.0.agent_id = agent;
        if let Some(task) = &mut self.0.task {
            task.agent = Some(agent);
        }
        self
    }

    pub(super) fn data(mut self, data: &[u8]) -> Self {
        self.0.data = Redacted::vouch(Bytes::copy_from_slice(data));
        self
    }
}

/// The same parts always give the same id (FNV-1a, 128 bits).
pub(super) fn identity(parts: &[&str]) -> EventId {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    EventId::from_u128(hash)
}

pub(super) fn batch(events: impl IntoIterator<Item = Sent>) -> IngestBatch {
    let events: Vec<_> = events.into_iter().map(|sent| sent.0).collect();
    let latest = events
        .iter()
        .map(|event| event.occurred_at)
        .max()
        .unwrap_or_else(|| at_s(0));
    IngestBatch::new(latest.plus(seconds(1)), events)
}

pub(super) async fn ingest(
    store: &dyn Store,
    events: impl IntoIterator<Item = Sent>,
) -> IngestReceipt {
    store
        .ingest(batch(events))
        .await
        .expect("ingesting a batch")
}

pub(super) fn inserted(receipt: &IngestReceipt) -> usize {
    receipt
        .outcomes
        .iter()
        .filter(|outcome| **outcome == EventOutcome::Inserted)
        .count()
}
