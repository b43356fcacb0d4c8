//! Taking in what agents report: the hot path.
//!
//! A batch is folded: each task is read once, merged with all of its new events, and written once; counters, workers and
//! queues move by one statement each, however many events touched them (`docs/decisions/0007-postgres-ingest.md`).

mod counters;
mod events;
mod fold;
mod intake;
mod lane;
mod partitions;
mod projects;
mod quarantine;
mod sightings;
mod streams;
mod tasks;
mod texts;
mod timeline;
mod transaction;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use z4j_core::env::Env;
use z4j_core::id::{ProjectId, TaskKey};
use z4j_core::store::{
    EventRow, EventStore, IngestBatch, IngestReceipt, Page, PageRequest, StoreError, StreamGap,
    StreamKey,
};
use z4j_core::time::Timestamp;

use crate::connect::Connector;
use crate::fault::Fault;
use crate::session::Session;
use crate::store::PgStore;
use lane::{Borrowed, Lanes, Statement};
use transaction::{Ending, Halt, Selection, Shared};

/// Batches that are written at once; the others wait.
const LANES: usize = 2;
/// Tries after the first one of a batch that loses against others.
const CONFLICTS_MAX: u32 = 5;
/// Longest first wait before such a try; it grows with each.
const CONFLICT_WAIT: Duration = Duration::from_millis(10);
/// The statements walk along keys, whatever the planner believes of tables that it has no statistics of yet; and compiling
/// them would take longer than running them.
const PLAIN_PLANS: &str = "SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
    SET LOCAL enable_mergejoin = off";

const STATEMENTS: &[&Statement] = &[
    &events::INSERT,
    &tasks::LOCK,
    &tasks::LOCK_FREE,
    &tasks::LINKS,
    &tasks::INSERT,
    &tasks::UPDATE,
    &texts::APPEND,
    &counters::SHARD,
    &counters::MOVE,
    &sightings::WORKERS,
    &sightings::QUEUES,
    &projects::FIND,
    &quarantine::INSERT,
    &quarantine::TRIM,
    &streams::BEGIN,
    &streams::TRIM,
    &streams::DROP_GAPS,
    &streams::LOCK,
    &streams::MOVE,
    &streams::KEEP_GAPS,
];

/// For changes of the schema that a batch waits for.
const SHORT_CHANGES: &str = "SET LOCAL statement_timeout = '2s'";

/// What takes batches in.
pub(crate) struct Ingest {
    lanes: Lanes,
    shared: Shared,
    days: partitions::Days,
    /// Begins a transaction that changes the schema.
    begin_change: String,
    env: Env,
    limit: Duration,
}

impl Ingest {
    pub(crate) fn new(connector: Connector, session: &Session, env: Env, limit: Duration) -> Self {
        let begin = session.begin_write.as_str();
        Self {
            lanes: Lanes::new(connector, STATEMENTS, session.is_pooled, LANES),
            shared: Shared {
                begin: format!("{begin}; {PLAIN_PLANS}"),
                projects: projects::Projects::default(),
                remembered: sightings::Remembered::default(),
            },
            days: partitions::Days::default(),
            begin_change: begin.to_owned(),
            env,
            limit,
        }
    }

    /// Closes the connections. Later calls fail as `Unavailable`.
    pub(crate) fn close(&self) {
        self.lanes.close();
    }

    async fn take_in(&self, batch: &IngestBatch) -> Result<IngestReceipt, Fault> {
        let within = tokio::time::timeout(self.limit, self.write(batch));
        within.await.unwrap_or(Err(Fault::TooSlow))
    }

    async fn write(&self, batch: &IngestBatch) -> Result<IngestReceipt, Fault> {
        let borrowed = self.lanes.borrow().await?;
        self.make_days_of(&borrowed, batch).await?;
        let mut refused = BTreeSet::new();
        let mut tries = 0;
        loop {
            let selection = Selection {
                refused: &refused,
                range: 0..batch.events.len(),
            };
            let lane = &borrowed.lane;
            let run = transaction::run(lane, &self.shared, batch, &selection, Ending::Commit);
            let halt = match run.await {
                Ok(receipt) => {
                    borrowed.give_back();
                    return Ok(receipt);
                }
                Err(halt) => halt,
            };
            // Without an answer the outcome is unknown, and so is the connection: it closes with `borrowed`.
            if !halt.is_answered() || lane.is_gone() {
                return Err(halt.into_fault());
            }
            lane.run("ROLLBACK").await?;
            if halt.may_win() && tries < CONFLICTS_MAX {
                tries += 1;
                tokio::time::sleep(self.env.jitter(CONFLICT_WAIT * tries)).await;
            } else if halt.is_of_the_row() && refused.is_empty() {
                refused = self.refused_events(&borrowed, batch).await?;
                if refused.is_empty() {
                    return Err(halt.into_fault());
                }
            } else {
                // A fault of the connection, such as statements that it has forgotten, goes with it.
                if halt.is_of_the_batch() || halt.may_win() {
                    borrowed.give_back();
                }
                return Err(halt.into_fault());
            }
        }
    }

    /// The events that the database refuses whoever stands beside them, found by halves.
    async fn refused_events(
        &self,
        borrowed: &Borrowed<'_>,
        batch: &IngestBatch,
    ) -> Result<BTreeSet<usize>, Fault> {
        let lane = &borrowed.lane;
        let mut refused = BTreeSet::new();
        let none = BTreeSet::new();
        let mut parts: Vec<_> = std::iter::once(0..batch.events.len()).collect();
        let mut tries = 0;
        while let Some(part) = parts.pop() {
            let selection = Selection {
                refused: &none,
                range: part.clone(),
            };
            let run = transaction::run(lane, &self.shared, batch, &selection, Ending::Rollback);
            let Err(halt) = run.await else { continue };
            if !halt.is_answered() {
                return Err(halt.into_fault());
            }
            lane.run("ROLLBACK").await?;
            if halt.may_win() && tries < CONFLICTS_MAX {
                tries += 1;
                tokio::time::sleep(self.env.jitter(CONFLICT_WAIT * tries)).await;
                parts.push(part);
            } else if !halt.is_of_the_row() {
                return Err(halt.into_fault());
            } else if part.len() > 1 {
                let middle = part.start + part.len() / 2;
                parts.extend([part.start..middle, middle..part.end]);
            } else {
                refused.extend(part);
            }
        }
        Ok(refused)
    }

    /// Makes the partitions of recent days that a batch needs.
    async fn make_days_of(
        &self,
        borrowed: &Borrowed<'_>,
        batch: &IngestBatch,
    ) -> Result<(), Fault> {
        let mut wanted = self.days.wanted(batch);
        if wanted.is_empty() {
            return Ok(());
        }
        wanted.extend(partitions::around(batch.received_at));
        // Agents wait. Where so much lies in the default partition that moving it takes longer, upkeep has more time.
        let begin = format!("{}; {SHORT_CHANGES}", self.begin_change);
        for trouble in partitions::make(&borrowed.lane, (&begin, true), &wanted).await? {
            tracing::warn!("{trouble}");
        }
        self.days.settle(&wanted);
        Ok(())
    }

    /// Makes the days around `now`; answers what an operator should know, in sentences.
    async fn prepare(&self, now: Timestamp) -> Result<Vec<String>, Fault> {
        let borrowed = self.lanes.borrow().await?;
        let days = partitions::around(now);
        self.days.forget();
        let mut sentences =
            partitions::make(&borrowed.lane, (&self.begin_change, false), &days).await?;
        if sentences.is_empty() {
            self.days.settle(&days);
        }
        let watch = partitions::watch_default(&borrowed.lane, &self.begin_change);
        sentences.extend(watch.await?);
        borrowed.give_back();
        Ok(sentences)
    }
}

impl Halt {
    fn into_fault(self) -> Fault {
        match self {
            Self::Crossed => Fault::TooSlow,
            Self::Fault(fault) => fault,
        }
    }

    /// Whether the server said that it did not do it.
    fn is_answered(&self) -> bool {
        match self {
            Self::Crossed | Self::Fault(Fault::Hole(_) | Fault::Corrupt(_)) => true,
            Self::Fault(fault) => fault.state().is_some(),
        }
    }

    fn may_win(&self) -> bool {
        match self {
            Self::Crossed => true,
            Self::Fault(fault) => fault.is_conflict() || fault.is_duplicate(),
        }
    }

    fn is_of_the_batch(&self) -> bool {
        matches!(self, Self::Fault(Fault::Hole(_))) || self.is_of_the_row()
    }

    fn is_of_the_row(&self) -> bool {
        matches!(self, Self::Fault(fault) if fault.is_of_the_row())
    }
}

impl PgStore {
    /// Makes the partitions of the days around `now`; answers what an operator should know, in sentences.
    pub(crate) async fn prepare_days(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let prepared = self.inner.ingest.prepare(now).await;
        prepared.map_err(|fault| fault.during("prepare days"))
    }
}

#[async_trait]
impl EventStore for PgStore {
    async fn ingest(&self, batch: IngestBatch) -> Result<IngestReceipt, StoreError> {
        let taken_in = self.inner.ingest.take_in(&batch).await;
        taken_in.map_err(|fault| fault.during("ingest"))
    }

    async fn task_events(
        &self,
        project: ProjectId,
        task: &TaskKey,
        page: PageRequest,
    ) -> Result<Page<EventRow>, StoreError> {
        let request = timeline::Request {
            project,
            task,
            page,
        };
        self.read_snapshot("task events", &request, |db, request| {
            Box::pin(timeline::read(db, request))
        })
        .await
    }

    async fn stream_position(&self, stream: StreamKey) -> Result<u64, StoreError> {
        self.read("stream position", &stream, |db, stream| {
            Box::pin(streams::position(db, stream))
        })
        .await
    }

    async fn stream_gaps(
        &self,
        stream: StreamKey,
        limit: u32,
    ) -> Result<Vec<StreamGap>, StoreError> {
        self.read("stream gaps", &(stream, limit), |db, (stream, limit)| {
            Box::pin(streams::gaps(db, stream, *limit))
        })
        .await
    }
}
