//! Leases, wake-ups and health.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use rusqlite::{Connection, OptionalExtension, params};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use z4j_core::id::ReplicaId;
use z4j_core::store::{Coordination, LeaseOutcome, LeaseRequest, StoreError, StoreHealth, Topic};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::row;
use crate::store::SqliteStore;

#[async_trait]
impl Coordination for SqliteStore {
    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError> {
        self.write("lease", move |tx| lease(tx.db, &request)).await
    }

    fn wakeups(&self, topic: Topic) -> BoxStream<'static, ()> {
        let hints = BroadcastStream::new(self.wakeups.subscribe());
        // A subscriber that fell behind missed hints of an unknown topic: one of its own stands for them.
        Box::pin(hints.filter_map(move |hint| match hint {
            Ok(woken) => (woken == topic).then_some(()),
            Err(_lagged) => Some(()),
        }))
    }

    async fn probe(&self, now: Timestamp) -> Result<StoreHealth, StoreError> {
        self.write("probe", move |tx| {
            let sql = "INSERT INTO probe (only, at) VALUES (1, ?1) ON CONFLICT (only) DO UPDATE SET at = excluded.at";
            tx.db.prepare_cached(sql)?.execute([now.as_micros()])?;
            Ok(StoreHealth {
                backend: "sqlite",
                warnings: weaknesses(tx.db)?,
            })
        })
        .await
    }
}

/// What would make an acknowledged write less than durable.
fn weaknesses(db: &Connection) -> Result<Vec<String>, Fault> {
    let synchronous: i64 = db.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    let mut warnings = Vec::new();
    if synchronous < 2 {
        warnings.push(
            "synchronous is below FULL: a power loss can lose acknowledged events".to_owned(),
        );
    }
    Ok(warnings)
}

fn lease(db: &Connection, request: &LeaseRequest) -> Result<LeaseOutcome, Fault> {
    let mut select =
        db.prepare_cached("SELECT holder, fence, until FROM leases WHERE name = ?1")?;
    let held = select
        .query_row([&request.name], |row| {
            Ok((
                row::id(row, "holder", ReplicaId::from_slice)?,
                row::count(row, "fence")?,
                row::time(row, "until")?,
            ))
        })
        .optional()?;
    let fence = match held {
        None => 1,
        Some((holder, fence, _)) if holder == request.holder => fence,
        Some((_, fence, until)) if until <= request.now => fence.saturating_add(1),
        Some((_, _, until)) => return Ok(LeaseOutcome::Taken { until }),
    };
    let mut store = db.prepare_cached(
        "INSERT INTO leases (name, holder, fence, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = excluded.fence, until = excluded.until",
    )?;
    let until = request.now.plus(request.ttl);
    store.execute(params![
        request.name,
        request.holder.as_bytes().as_slice(),
        row::signed(fence),
        until.as_micros()
    ])?;
    Ok(LeaseOutcome::Held { fence })
}
