//! What the store does with the same rows and nobody in front of it: the measure for everything above.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use bytes::Bytes;
use secrecy::SecretString;
use serde_json::value::RawValue;
use z4j_brain::Brain;
use z4j_brain::access::PasswordSignIn;
use z4j_brain::config::BrainSecrets;
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::identity::{self, EventOrigin};
use z4j_core::redact::Redacted;
use z4j_core::store::{EventOutcome, IngestBatch, IngestEvent, Store};
use z4j_core::task::{EventKind, TaskEvent};
use z4j_core::time::Timestamp;

use crate::events::BenchEvent;
use crate::meter::{Costs, Meter, Watched, number};

/// Events per transaction.
pub(crate) const IDEAL_BATCH_EVENTS: usize = 2_000;

/// Whose rows they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenant {
    /// The project.
    pub(crate) project: ProjectId,
    /// The agent that reports.
    pub(crate) agent: AgentId,
}

/// Events per second that a fresh store takes in ideal batches, parsing and the task merge included. The driver's CPU
/// holds the store's own.
pub(crate) async fn measure(
    store: &Arc<dyn Store>,
    events: &[BenchEvent],
    postgres: Option<u32>,
) -> anyhow::Result<(f64, Costs)> {
    let tenant = tenant(store).await?;
    let meter = Meter::start(Watched {
        brain: None,
        postgres,
    });
    let began = Instant::now();
    let inserted = ingest(store, tenant, events).await?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(
        inserted == events.len(),
        "{inserted} of {} events were stored",
        events.len()
    );
    Ok((number(u64::try_from(inserted)?) / seconds, meter.stop()))
}

/// Stores `events` in ideal batches; answers how many were new.
pub(crate) async fn ingest(
    store: &Arc<dyn Store>,
    tenant: Tenant,
    events: &[BenchEvent],
) -> anyhow::Result<usize> {
    let engine: Arc<str> = Arc::from("celery");
    let mut inserted = 0;
    for chunk in events.chunks(IDEAL_BATCH_EVENTS) {
        let rows = chunk
            .iter()
            .map(|event| row(tenant, &engine, event))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let at = chunk.last().map_or(Timestamp::EPOCH, |event| event.at);
        let receipt = store.ingest(IngestBatch::new(at, rows)).await?;
        inserted += receipt
            .outcomes
            .iter()
            .filter(|outcome| matches!(outcome, EventOutcome::Inserted))
            .count();
    }
    Ok(inserted)
}

/// A project and an agent for the rows to belong to.
pub(crate) async fn tenant(store: &Arc<dyn Store>) -> anyhow::Result<Tenant> {
    let secret = || SecretString::from("a secret of one bench run on a folder of its own");
    let secrets = BrainSecrets {
        master: secret(),
        session: secret(),
        audit: secret(),
    };
    let brain = Brain::builder(Arc::clone(store), secrets, PasswordSignIn::default()).build()?;
    let operator = brain.operator();
    operator
        .bootstrap_admin("bench@example.org", &secret())
        .await?;
    let agent = operator.mint_agent("default", "bench").await?;
    Ok(Tenant {
        project: agent.project_id,
        agent: agent.agent_id,
    })
}

/// An event as the brain hands it to the store.
pub(crate) fn row(
    tenant: Tenant,
    engine: &Arc<str>,
    event: &BenchEvent,
) -> anyhow::Result<IngestEvent> {
    let kind = EventKind::parse(event.kind);
    let raw: &RawValue = serde_json::from_str(&event.data)?;
    let task = TaskEvent::from_data(kind.clone(), event.at, Some(tenant.agent), raw);
    Ok(IngestEvent {
        id: identity::event_id(&EventOrigin {
            project: tenant.project,
            engine,
            task_id: &event.task_id,
            kind: event.kind,
            occurred_at: &event.at.to_string(),
            agent_event_id: "",
            frame_id: "",
            index: 0,
        }),
        project_id: tenant.project,
        agent_id: tenant.agent,
        engine: Arc::clone(engine),
        kind,
        task_id: event.task_id.as_str().into(),
        sent_at: event.at,
        occurred_at: event.at,
        worker: task.facts.worker.as_deref().map(Into::into),
        queue: task.facts.queue.as_deref().map(Into::into),
        data: Redacted::vouch(Bytes::copy_from_slice(event.data.as_bytes())),
        task: Some(task),
    })
}
