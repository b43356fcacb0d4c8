//! Stores that mislead whoever follows the live stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use z4j_core::id::ReplicaId;
use z4j_core::store::{
    Announcement, BeatOutcome, Heard, IngestBatch, IngestReceipt, ReplicaBeat, Store, StoreError,
};
use z4j_testkit::sim::StoreHooks;

/// How often a brain reads the table.
const POLL: Duration = Duration::from_millis(20);
/// How much later than others the slowest transaction commits, in steps.
const COMMIT_STEP: Duration = Duration::from_millis(40);
const COMMIT_STEPS: u64 = 5;

/// By what a reader notices that it missed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// By the sender's own count, which comes with each announcement and with its beats.
    Sender,
    /// By nothing: whatever lies after its position in the table is taken for all there is.
    Position,
}

/// Announcements in a table, numbered before their transactions commit; each brain reads on from the highest number that
/// it saw.
#[derive(Debug)]
pub(crate) struct Tailed {
    count: Count,
    next: AtomicU64,
    rows: Arc<Mutex<BTreeMap<u64, Announcement>>>,
}

impl Tailed {
    pub(crate) fn new(count: Count) -> Self {
        Self {
            count,
            next: AtomicU64::new(1),
            rows: Arc::default(),
        }
    }
}

/// One brain that reads the table.
struct Tail {
    rows: Arc<Mutex<BTreeMap<u64, Announcement>>>,
    position: u64,
    count: Count,
    /// Announcements of each sender that it read.
    read: BTreeMap<ReplicaId, u64>,
}

impl Tail {
    /// What it has not read, as it takes it to be.
    fn more(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        for (number, row) in self.rows.lock().unwrap().range(self.position + 1..) {
            self.position = *number;
            let mut row = row.clone();
            let read = self.read.entry(row.from).or_default();
            *read += 1;
            if self.count == Count::Position {
                row.number = *read;
            }
            heard.push(Heard::Announced(row));
        }
        heard
    }
}

#[async_trait]
impl StoreHooks for Tailed {
    async fn announce(&self, _: &dyn Store, row: Announcement) -> Result<(), StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let late = u32::try_from(number * 7 % COMMIT_STEPS).unwrap();
        tokio::time::sleep(COMMIT_STEP * late).await;
        self.rows.lock().unwrap().insert(number, row);
        Ok(())
    }

    fn announcements(&self, _: &dyn Store) -> BoxStream<'static, Heard> {
        let last = self.rows.lock().unwrap().keys().last().copied();
        let tail = Tail {
            rows: Arc::clone(&self.rows),
            position: last.unwrap_or(0),
            count: self.count,
            read: BTreeMap::new(),
        };
        let parts = stream::unfold(tail, |mut tail| async move {
            tokio::time::sleep(POLL).await;
            Some((stream::iter(tail.more()), tail))
        });
        parts.flatten().boxed()
    }

    async fn beat(
        &self,
        store: &dyn Store,
        mut beat: ReplicaBeat,
    ) -> Result<BeatOutcome, StoreError> {
        if self.count == Count::Position {
            beat.announced = 0;
        }
        store.beat(beat).await
    }
}

/// Leaves the last change of some commits out of its answer.
#[derive(Debug, Default)]
pub(crate) struct ChangeUntold(AtomicU64);

#[async_trait]
impl StoreHooks for ChangeUntold {
    async fn ingest(
        &self,
        store: &dyn Store,
        batch: IngestBatch,
    ) -> Result<IngestReceipt, StoreError> {
        let mut receipt = store.ingest(batch).await?;
        if self.0.fetch_add(1, Ordering::Relaxed) % 20 == 19 {
            receipt.changes.pop();
        }
        Ok(receipt)
    }
}
