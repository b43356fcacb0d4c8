//! Taking in what agents report: the hot path.
//!
//! A batch is folded: each task is read once, merged with all of its new events, and written once; counters, workers and
//! queues move by one statement for each row, however many events touched it.

mod counters;
mod insert;
mod merge;
mod quarantine;
mod sightings;
mod streams;
mod timeline;

use async_trait::async_trait;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{
    EventRow, EventStore, IngestBatch, IngestReceipt, Page, PageRequest, StoreError, StreamGap,
    StreamKey,
};

use crate::fault::Fault;
use crate::store::SqliteStore;
use crate::writer::Tx;

#[async_trait]
impl EventStore for SqliteStore {
    async fn ingest(&self, batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
        let weight = batch.events.len().max(1);
        self.write_many("ingest", weight, move |tx| ingest(tx, &batch))
            .await
    }

    async fn task_events(
        &self,
        project: ProjectId,
        task: &TaskKey,
        page: PageRequest,
    ) -> Result<Page<EventRow>, StoreError> {
        let task = task.clone();
        self.read("task events", move |db| {
            timeline::read(db, project, &task, &page)
        })
        .await
    }

    async fn stream_position(&self, stream: StreamKey) -> Result<u64, StoreError> {
        self.read("stream position", move |db| streams::position(db, &stream))
            .await
    }

    async fn stream_gaps(
        &self,
        stream: StreamKey,
        limit: u32,
    ) -> Result<Vec<StreamGap>, StoreError> {
        self.read("stream gaps", move |db| streams::gaps(db, &stream, limit))
            .await
    }
}

fn ingest(tx: &mut Tx<'_>, batch: &IngestBatch) -> Result<IngestReceipt, Fault> {
    streams::advance(tx, &batch.streams, batch.received_at)?;
    let mut fold = merge::Fold::default();
    let mut seen = sightings::Seen::default();
    let outcomes = insert::all(tx, batch, &mut fold, &mut seen)?;
    quarantine::keep(tx.db, batch, &outcomes)?;
    let mut deltas = counters::Deltas::default();
    let changes = merge::write(tx.db, batch.received_at, &fold, &mut deltas, &mut seen)?;
    deltas.write(tx.db)?;
    seen.write(tx.db, batch.received_at)?;
    Ok(IngestReceipt { outcomes, changes })
}
