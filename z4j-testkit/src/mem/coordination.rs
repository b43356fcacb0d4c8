//! Leases, wake-ups and health.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use z4j_core::store::{Coordination, LeaseOutcome, LeaseRequest, StoreError, StoreHealth, Topic};
use z4j_core::time::Timestamp;

use super::MemStore;
use super::db::{Db, Lease};

#[async_trait]
impl Coordination for MemStore {
    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError> {
        self.write("try_lease", |db| lease(db, request)).await
    }

    fn wakeups(&self, topic: Topic) -> BoxStream<'static, ()> {
        let hints = BroadcastStream::new(self.wakeups.subscribe());
        // Whoever was too slow has lost hints of any topic; one of this topic stands for them.
        Box::pin(
            hints.filter_map(move |hint| {
                hint.map_or(Some(()), |woken| (woken == topic).then_some(()))
            }),
        )
    }

    async fn probe(&self, _now: Timestamp) -> Result<StoreHealth, StoreError> {
        self.write("probe", |_db| StoreHealth {
            backend: "memory",
            warnings: vec!["nothing outlives the process".to_owned()],
        })
        .await
    }
}

fn lease(db: &mut Db, request: LeaseRequest) -> LeaseOutcome {
    let held = db.leases.get(&request.name);
    let fence = match held {
        None => 1,
        Some(lease) if lease.holder == request.holder => lease.fence,
        Some(lease) if lease.until <= request.now => lease.fence.saturating_add(1),
        Some(lease) => return LeaseOutcome::Taken { until: lease.until },
    };
    let lease = Lease {
        holder: request.holder,
        fence,
        until: request.now.plus(request.ttl),
    };
    db.leases.insert(request.name, lease);
    LeaseOutcome::Held { fence }
}
