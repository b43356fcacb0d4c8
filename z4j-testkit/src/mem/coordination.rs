//! Beats, leases, announcements, wake-ups and health.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use z4j_core::id::{LinkId, ReplicaId};
use z4j_core::store::{
    Announcement, BeatOutcome, CloseLink, Coordination, Estate, ForgetOutcome, ForgetReplica,
    Heard, LeaseGrant, LeaseOutcome, LeaseRequest, ReplicaBeat, ReplicaRow, StoreError,
    StoreErrorKind, StoreHealth, Topic,
};
use z4j_core::time::Timestamp;

use super::db::{Db, Lease};
use super::{MemStore, commands, fleet};

#[async_trait]
impl Coordination for MemStore {
    async fn beat(&self, beat: ReplicaBeat) -> Result<BeatOutcome, StoreError> {
        self.write("beat", |db| self::beat(db, &beat)).await
    }

    async fn forget_replica(&self, dead: ForgetReplica) -> Result<ForgetOutcome, StoreError> {
        let outcome = self.write("forget_replica", |db| forget(db, &dead)).await;
        self.wake(Topic::Commands);
        outcome
    }

    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError> {
        self.write("try_lease", |db| lease(db, request)).await?
    }

    async fn maintain(
        &self,
        grant: &LeaseGrant,
        _now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.write("maintain", |db| check(db, grant, "maintain"))
            .await??;
        Ok(Vec::new())
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        let too_large = || StoreError::new(StoreErrorKind::Internal, "announce");
        let text = announcement.encode().ok_or_else(too_large)?;
        self.write("announce", |_db| {
            let _nobody_listens = self.announcements.send(text);
        })
        .await
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

fn beat(db: &mut Db, beat: &ReplicaBeat) -> BeatOutcome {
    if beat.is_first {
        db.replicas
            .entry(beat.replica)
            .or_insert_with(|| ReplicaRow {
                replica: beat.replica,
                beat: 0,
                announced: 0,
                started_at: beat.now,
                clock: beat.now,
                is_gone: false,
            });
    }
    let Some(row) = db.replicas.get_mut(&beat.replica) else {
        return BeatOutcome::Buried;
    };
    row.beat += 1;
    row.clock = beat.now;
    row.announced = row.announced.max(beat.announced);
    BeatOutcome::Alive(db.replicas.values().cloned().collect())
}

fn forget(db: &mut Db, dead: &ForgetReplica) -> ForgetOutcome {
    match db.replicas.get(&dead.replica) {
        None => return ForgetOutcome::Unknown,
        Some(row) if row.beat != dead.beat => return ForgetOutcome::Lives,
        Some(_) => {}
    }
    let held = db
        .links
        .iter()
        .filter(|(_, link)| link.row.replica == dead.replica);
    let links: Vec<LinkId> = held.map(|(id, _)| *id).collect();
    let closes: Vec<CloseLink> = links
        .iter()
        .map(|id| CloseLink {
            link_id: *id,
            at: dead.at,
        })
        .collect();
    let workers = fleet::close(db, &closes);
    let lost = links
        .iter()
        .flat_map(|link| commands::lose_link(db, *link, dead.at));
    let commands = lost.collect();
    let leases = release(db, dead.replica);
    db.replicas.remove(&dead.replica);
    ForgetOutcome::Forgotten(Estate {
        links: u64::try_from(links.len()).unwrap_or(u64::MAX),
        workers,
        commands,
        leases,
    })
}

/// Frees what a brain holds, and lets nothing count any more that it sends under it.
fn release(db: &mut Db, holder: ReplicaId) -> Vec<String> {
    let mut freed = Vec::new();
    for (name, lease) in &mut db.leases {
        if lease.holder == holder {
            lease.fence = lease.fence.saturating_add(1);
            freed.push(name.clone());
        }
    }
    freed
}

/// A lease is free when it has lapsed, and when nobody is there who could give it up.
fn lease(db: &mut Db, request: LeaseRequest) -> Result<LeaseOutcome, StoreError> {
    if !db.replicas.contains_key(&request.holder) {
        return Err(StoreError::new(StoreErrorKind::Fenced, "try_lease"));
    }
    let fence = match db.leases.get(&request.name) {
        None => 1,
        Some(lease) if lease.holder == request.holder => lease.fence,
        Some(lease) if lease.until <= request.now || !db.replicas.contains_key(&lease.holder) => {
            lease.fence.saturating_add(1)
        }
        Some(lease) => return Ok(LeaseOutcome::Taken { until: lease.until }),
    };
    let lease = Lease {
        holder: request.holder,
        fence,
        until: request.now.plus(request.ttl),
    };
    db.leases.insert(request.name.clone(), lease);
    Ok(LeaseOutcome::Held(LeaseGrant {
        name: request.name,
        holder: request.holder,
        fence,
    }))
}

/// Refuses whoever does not hold the lease any more. Its end is not looked at: as long as nobody else took it, it is theirs.
pub(super) fn check(db: &Db, grant: &LeaseGrant, method: &'static str) -> Result<(), StoreError> {
    let is_held = db
        .leases
        .get(&grant.name)
        .is_some_and(|lease| lease.holder == grant.holder && lease.fence == grant.fence);
    if is_held {
        Ok(())
    } else {
        Err(StoreError::new(StoreErrorKind::Fenced, method))
    }
}
