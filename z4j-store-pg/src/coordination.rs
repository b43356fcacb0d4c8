//! Beats, leases, announcements, wake-ups and health.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use z4j_core::store::{
    Announcement, BeatOutcome, Coordination, ForgetOutcome, ForgetReplica, Heard, LeaseGrant,
    LeaseOutcome, LeaseRequest, ReplicaBeat, StoreError, StoreErrorKind, StoreHealth, Topic,
};
use z4j_core::time::Timestamp;

use crate::checks::Promises;
use crate::db::Db;
use crate::fault::Fault;
use crate::store::PgStore;
use crate::{leases, replicas};

#[async_trait]
impl Coordination for PgStore {
    async fn beat(&self, beat: ReplicaBeat) -> Result<BeatOutcome, StoreError> {
        self.write("beat", &beat, |db, beat| Box::pin(replicas::beat(db, beat)))
            .await
    }

    async fn forget_replica(&self, forget: ForgetReplica) -> Result<ForgetOutcome, StoreError> {
        self.write("forget replica", &forget, |db, forget| {
            Box::pin(replicas::forget(db, forget))
        })
        .await
    }

    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError> {
        self.write("lease", &request, |db, request| {
            Box::pin(leases::take(db, request))
        })
        .await
    }

    async fn maintain(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.write("maintain", grant, |db, grant| {
            Box::pin(leases::check(db, grant))
        })
        .await?;
        // Doing it twice at once does no harm, so the lease need not be held while it is done.
        self.prepare_days(now).await
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        let too_large = || StoreError::new(StoreErrorKind::Internal, "announce");
        let text = announcement.encode().ok_or_else(too_large)?;
        self.write("announce", &text, |db, text| Box::pin(db.notify(text)))
            .await
    }

    fn announcements(&self) -> BoxStream<'static, Heard> {
        let heard = BroadcastStream::new(self.inner.listener.announcements());
        Box::pin(heard.map(|heard| heard.unwrap_or(Heard::MayHaveMissed)))
    }

    fn wakeups(&self, topic: Topic) -> BoxStream<'static, ()> {
        let hints = BroadcastStream::new(self.inner.listener.wakeups());
        // A subscriber that fell behind missed hints of an unknown topic: one of its own stands for them.
        Box::pin(hints.filter_map(move |hint| match hint {
            Ok(woken) => (woken == topic).then_some(()),
            Err(_lagged) => Some(()),
        }))
    }

    async fn probe(&self, now: Timestamp) -> Result<StoreHealth, StoreError> {
        let promises = self
            .write("probe", &now, |db, now| Box::pin(probe(db, *now)))
            .await?;
        let mut warnings = promises.warnings();
        if self.inner.listener.is_deaf() {
            warnings.push(
                "notifications from the database do not arrive: changes of other brains are seen later, by polling; behind PgBouncer set listen_url"
                    .to_owned(),
            );
        }
        Ok(StoreHealth {
            backend: "postgresql",
            warnings,
        })
    }
}

async fn probe(db: &mut Db<'_>, now: Timestamp) -> Result<Promises, Fault> {
    db.sql("INSERT INTO probe (place, at) VALUES (1, $1) ON CONFLICT (place) DO UPDATE SET at = excluded.at")
        .bind(now.as_micros())
        .execute(db.conn())
        .await?;
    let row = db.sql(Promises::SELECT).fetch_one(db.conn()).await?;
    Promises::read(&row)
}
