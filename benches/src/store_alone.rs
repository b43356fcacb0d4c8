//! What the store does with the same rows and nobody in front of it: the measure for everything above.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use bytes::Bytes;
use secrecy::SecretString;
use serde_json::value::RawValue;
use z4j_brain::Brain;
use z4j_brain::access::PasswordSignIn;
use z4j_brain::config::BrainSecrets;
use z4j_core::id::{AgentId, ProjectId};
use z4j_core::identity::{self, EventOrigin};
use z4j_core::redact::Redacted;
use z4j_core::store::{EventOutcome, EventStore, IngestBatch, IngestEvent, Store};
use z4j_core::task::{EventKind, TaskEvent};
use z4j_core::time::Timestamp;
use z4j_store_sqlite::SqliteStore;

use crate::events::BenchEvent;
use crate::process::{ADMIN_EMAIL, ADMIN_PASSWORD};

/// Events per transaction: what the brain's committer takes at most.
pub(crate) const IDEAL_BATCH_EVENTS: usize = 2_000;

/// Events per second that a fresh SQLite store takes in ideal batches, parsing and the task merge included.
pub(crate) async fn sqlite(dir: &Path, events: &[BenchEvent]) -> anyhow::Result<f64> {
    let store = Arc::new(SqliteStore::in_dir(dir).context("the store could not be opened")?);
    let (project, agent) = tenant(&store).await?;
    let engine: Arc<str> = Arc::from("celery");
    let began = Instant::now();
    let mut inserted = 0;
    for chunk in events.chunks(IDEAL_BATCH_EVENTS) {
        let rows = chunk
            .iter()
            .map(|event| row(project, agent, &engine, event))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let at = chunk.last().map_or(Timestamp::EPOCH, |event| event.at);
        let receipt = store.ingest(IngestBatch::new(at, rows)).await?;
        inserted += receipt
            .outcomes
            .iter()
            .filter(|outcome| matches!(outcome, EventOutcome::Inserted))
            .count();
    }
    ensure!(
        inserted == events.len(),
        "{inserted} of {} events were stored",
        events.len()
    );
    #[expect(
        clippy::cast_precision_loss,
        reason = "event counts of a bench are far below 2^52"
    )]
    let rate = events.len() as f64 / began.elapsed().as_secs_f64();
    Ok(rate)
}

/// A project and an agent for the rows to belong to.
async fn tenant(store: &Arc<SqliteStore>) -> anyhow::Result<(ProjectId, AgentId)> {
    let secret = || SecretString::from("a secret of one bench run on a folder of its own");
    let secrets = BrainSecrets {
        master: secret(),
        session: secret(),
        audit: secret(),
    };
    let brain = Brain::builder(
        Arc::clone(store) as Arc<dyn Store>,
        secrets,
        PasswordSignIn::default(),
    )
    .build()?;
    let operator = brain.operator();
    operator
        .bootstrap_admin(ADMIN_EMAIL, &SecretString::from(ADMIN_PASSWORD))
        .await?;
    let agent = operator.mint_agent("default", "bench").await?;
    Ok((agent.project_id, agent.agent_id))
}

fn row(
    project: ProjectId,
    agent: AgentId,
    engine: &Arc<str>,
    event: &BenchEvent,
) -> anyhow::Result<IngestEvent> {
    let kind = EventKind::parse(event.kind);
    let raw: &RawValue = serde_json::from_str(&event.data)?;
    let task = TaskEvent::from_data(kind.clone(), event.at, Some(agent), raw);
    Ok(IngestEvent {
        id: identity::event_id(&EventOrigin {
            project,
            engine,
            task_id: &event.task_id,
            kind: event.kind,
            occurred_at: &event.at.to_string(),
            agent_event_id: "",
            frame_id: "",
            index: 0,
        }),
        project_id: project,
        agent_id: agent,
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
