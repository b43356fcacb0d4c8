//! Two stores as somebody outside of z4j might write them, each around one that exists already.
//!
//! [`counting`] keeps the contract. [`hasty`] acknowledges a batch before it is written, which is the worst that a store
//! can do, and looks fine in every demonstration. `tests/` shows what the conformance suite says of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::mpsc;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{
    EventOutcome, EventRow, EventStore, IngestBatch, IngestReceipt, Page, PageRequest, Store,
    StoreError, StoreErrorKind, StoreParts, StreamGap, StreamKey,
};

/// A store that also counts the events it stored.
pub fn counting<S: Store>(store: S) -> (impl Store, Arc<AtomicU64>) {
    let store = Arc::new(store);
    let stored = Arc::new(AtomicU64::new(0));
    let ingest = Counting {
        inner: Arc::clone(&store),
        stored: Arc::clone(&stored),
    };
    (StoreParts::of(&store).with_events(Arc::new(ingest)), stored)
}

/// A store that answers at once and writes later.
pub fn hasty<S: Store>(store: S) -> impl Store {
    let store = Arc::new(store);
    let (queue, mut waiting) = mpsc::unbounded_channel();
    let writer = Arc::clone(&store);
    tokio::spawn(async move {
        while let Some(batch) = waiting.recv().await {
            // Nobody is left to be told of an error.
            let _ = EventStore::ingest(&*writer, batch).await;
        }
    });
    let ingest = Hasty {
        inner: Arc::clone(&store),
        queue,
    };
    StoreParts::of(&store).with_events(Arc::new(ingest))
}

#[derive(Debug)]
struct Counting<S> {
    inner: Arc<S>,
    stored: Arc<AtomicU64>,
}

#[async_trait]
impl<S: Store> EventStore for Counting<S> {
    async fn ingest(&self, batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
        let receipt = self.inner.ingest(batch).await?;
        let inserted = receipt.outcomes.iter();
        let inserted = inserted.filter(|outcome| **outcome == EventOutcome::Inserted);
        self.stored
            .fetch_add(inserted.count() as u64, Ordering::Relaxed);
        Ok(receipt)
    }

    async fn task_events(
        &self,
        project: ProjectId,
        task: &TaskKey,
        page: PageRequest,
    ) -> Result<Page<EventRow>, StoreError> {
        self.inner.task_events(project, task, page).await
    }

    async fn stream_position(&self, stream: StreamKey) -> Result<u64, StoreError> {
        self.inner.stream_position(stream).await
    }

    async fn stream_gaps(
        &self,
        stream: StreamKey,
        limit: u32,
    ) -> Result<Vec<StreamGap>, StoreError> {
        self.inner.stream_gaps(stream, limit).await
    }
}

#[derive(Debug)]
struct Hasty<S> {
    inner: Arc<S>,
    queue: mpsc::UnboundedSender<IngestBatch>,
}

#[async_trait]
impl<S: Store> EventStore for Hasty<S> {
    async fn ingest(&self, batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
        let mut receipt = IngestReceipt::default();
        receipt.outcomes = vec![EventOutcome::Inserted; batch.events.len()];
        self.queue
            .send(batch)
            .map_err(|_| StoreError::new(StoreErrorKind::Unavailable, "ingest"))?;
        Ok(receipt)
    }

    async fn task_events(
        &self,
        project: ProjectId,
        task: &TaskKey,
        page: PageRequest,
    ) -> Result<Page<EventRow>, StoreError> {
        self.inner.task_events(project, task, page).await
    }

    async fn stream_position(&self, stream: StreamKey) -> Result<u64, StoreError> {
        self.inner.stream_position(stream).await
    }

    async fn stream_gaps(
        &self,
        stream: StreamKey,
        limit: u32,
    ) -> Result<Vec<StreamGap>, StoreError> {
        self.inner.stream_gaps(stream, limit).await
    }
}
