//! Beats, leases, announcements, wake-ups and health.

use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use rusqlite::Connection;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use z4j_core::store::{
    Announcement, BeatOutcome, Coordination, ForgetOutcome, ForgetReplica, Heard, LeaseGrant,
    LeaseOutcome, LeaseRequest, ReplicaBeat, StoreError, StoreErrorKind, StoreHealth, Topic,
};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::store::SqliteStore;
use crate::{leases, replicas};

#[async_trait]
impl Coordination for SqliteStore {
    async fn beat(&self, beat: ReplicaBeat) -> Result<BeatOutcome, StoreError> {
        let earlier = Arc::clone(&self.earlier);
        self.write("beat", move |tx| replicas::beat(tx.db, &beat, &earlier))
            .await
    }

    async fn forget_replica(&self, forget: ForgetReplica) -> Result<ForgetOutcome, StoreError> {
        self.write("forget replica", move |tx| replicas::forget(tx, &forget))
            .await
    }

    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError> {
        self.write("lease", move |tx| leases::take(tx.db, &request))
            .await
    }

    async fn maintain(
        &self,
        grant: &LeaseGrant,
        _now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let grant = grant.clone();
        self.write("maintain", move |tx| leases::check(tx.db, &grant))
            .await?;
        Ok(Vec::new())
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        let too_large = || StoreError::new(StoreErrorKind::Internal, "announce");
        let text = announcement.encode().ok_or_else(too_large)?;
        // No listener is no fault.
        let _ = self.announcements.send(text);
        Ok(())
    }

    fn announcements(&self) -> BoxStream<'static, Heard> {
        let texts = BroadcastStream::new(self.announcements.subscribe());
        Box::pin(texts.map(|text| {
            let heard = text.ok().and_then(|text| Announcement::decode(&text));
            heard.map_or(Heard::MayHaveMissed, Heard::Announced)
        }))
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
