//! Fills a store fast: large batches straight into it.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::{StreamExt, TryStreamExt, stream};
use z4j_core::env::Env;
use z4j_core::store::{EventOutcome, IngestBatch, Store};

use crate::meter::number;
use crate::population::Population;
use crate::store_alone::Tenant;

/// Tasks in one transaction.
const BATCH_TASKS: u64 = 2_000;
/// Batches that are made or written at once: one is rendered while another is stored.
const BATCHES_AT_ONCE: usize = 2;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What a load did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    /// Events that were new.
    pub(crate) events: u64,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Loaded {
    /// Events stored in a second.
    pub(crate) fn events_per_second(&self) -> f64 {
        number(self.events) / self.took.as_secs_f64().max(1e-9)
    }
}

/// Stores a range of tasks. `done` hears now and then up to which all are stored.
pub(crate) async fn load(
    store: &Arc<dyn Store>,
    tenant: Tenant,
    population: Population,
    tasks: Range<u64>,
    mut done: impl FnMut(u64) -> anyhow::Result<()>,
) -> anyhow::Result<Loaded> {
    let began = Instant::now();
    let engine: Arc<str> = Arc::from("celery");
    let starts = (tasks.start..tasks.end).step_by(usize::try_from(BATCH_TASKS)?);
    let end = tasks.end;
    let mut stored = stream::iter(starts)
        .map(|from| {
            let (store, engine) = (Arc::clone(store), Arc::clone(&engine));
            let range = from..end.min(from + BATCH_TASKS);
            async move {
                let up_to = range.end;
                let made = move || population.rows(tenant, &engine, range);
                let rows = tokio::task::spawn_blocking(made).await??;
                let batch = IngestBatch::new(Env::system().now(), rows);
                let receipt = store.ingest(batch).await?;
                let count = |wanted: EventOutcome| {
                    let outcomes = receipt.outcomes.iter();
                    outcomes.filter(|outcome| **outcome == wanted).count()
                };
                let (new, known) = (
                    count(EventOutcome::Inserted),
                    count(EventOutcome::Duplicate),
                );
                ensure!(
                    new + known == receipt.outcomes.len(),
                    "the store refused events of the load"
                );
                anyhow::Ok((up_to, u64::try_from(new)?))
            }
        })
        .buffered(BATCHES_AT_ONCE);
    let (mut events, mut told) = (0, Instant::now());
    while let Some((up_to, new)) = stored.try_next().await? {
        events += new;
        if told.elapsed() > TELL_EVERY || up_to == end {
            told = Instant::now();
            done(up_to)?;
            eprintln!(
                "  {up_to} of {end} tasks are stored, {:.0} events/s",
                number(events) / began.elapsed().as_secs_f64()
            );
        }
    }
    Ok(Loaded {
        events,
        took: began.elapsed(),
    })
}

#[cfg(test)]
mod tests {
    use z4j_core::time::Timestamp;
    use z4j_testkit::mem::MemStore;

    use super::*;
    use crate::store_alone::tenant;

    #[tokio::test]
    async fn load_that_is_taken_up_again_stores_each_task_once() {
        let store: Arc<dyn Store> = Arc::new(MemStore::default());
        let tenant = tenant(&store).await.unwrap();
        let population = Population {
            seed: 3,
            start: Timestamp::from_micros(1_700_000_000_000_000),
            step_us: 1_000,
            events_per_task: 2,
        };
        let mut up_to = 0;
        let loaded = load(&store, tenant, population, 0..2_500, |done| {
            up_to = done;
            Ok(())
        });
        assert_eq!(loaded.await.unwrap().events, 5_000);
        assert_eq!(up_to, 2_500);
        let again = load(&store, tenant, population, 2_000..3_000, |_| Ok(())).await;
        assert_eq!(again.unwrap().events, 1_000);
        let counts = store.state_counts(tenant.project).await.unwrap();
        assert_eq!(counts.iter().map(|state| state.count).sum::<u64>(), 3_000);
    }
}
