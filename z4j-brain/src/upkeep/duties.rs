//! What must be done now and then, whoever does it: overdue commands by every brain, the rest by the one with the lease.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use z4j_core::store::{LeaseGrant, LeaseOutcome, LeaseRequest, StoreError, StoreErrorKind};

use crate::ingest::publish_workers;
use crate::ops::chain;
use crate::shared::Shared;

/// How often overdue commands are looked for.
const TICK: Duration = Duration::from_secs(1);
/// How often the lease is renewed, and silent workers are looked for.
const SWEEP: Duration = Duration::from_secs(3);
/// The store is maintained every so many sweeps, beginning with a holder's first.
const SWEEPS_PER_MAINTENANCE: u32 = 20;
/// A holder that does not renew for this long has lost the lease.
const LEASE_TTL: Duration = Duration::from_secs(8);
/// Commands that one look settles.
const EXPIRE_MAX: u32 = 500;

/// Does the duties until `halt`. Deadlines do not wait for the rest, of which some may take long.
pub(super) async fn run(shared: &Shared, halt: &CancellationToken) {
    tokio::join!(keep_deadlines(shared, halt), keep_lease(shared, halt));
}

/// Every brain: it is the same write whoever does it, and must not wait for another brain's lease to lapse.
async fn keep_deadlines(shared: &Shared, halt: &CancellationToken) {
    while !halt.is_cancelled() {
        note(shared, expire(shared).await);
        pause(TICK, halt).await;
    }
}

async fn keep_lease(shared: &Shared, halt: &CancellationToken) {
    let mut holder = Holder::default();
    while !halt.is_cancelled() {
        holder.renew(shared).await;
        let done = holder.serve(shared).await;
        note(shared, done);
        pause(SWEEP, halt).await;
    }
}

async fn pause(time: Duration, halt: &CancellationToken) {
    tokio::select! {
        biased;
        () = tokio::time::sleep(time) => {}
        () = halt.cancelled() => {}
    }
}

fn note(shared: &Shared, done: Result<(), StoreError>) {
    let Err(error) = done else { return };
    shared.metrics.store_fault(error.kind().as_str());
    if shared.health.fail(&error) {
        tracing::error!(error = %chain(&error), "silent workers and overdue commands wait for the store");
    }
}

async fn expire(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.replicas.now(&shared.env);
    let expired = shared.store.expire_commands(now, EXPIRE_MAX).await;
    for command in expired.inspect_err(|_| shared.hub.doubts().of_everything())? {
        shared.dispatcher.publish(shared, command);
    }
    // A write was answered: what others have no answer for can be fetched by now.
    shared.hub.resolve_doubts();
    Ok(())
}

/// What this brain knows of the lease.
#[derive(Debug, Default)]
struct Holder {
    grant: Option<LeaseGrant>,
    sweeps: u32,
}

impl Holder {
    async fn renew(&mut self, shared: &Shared) {
        let request = LeaseRequest {
            name: "upkeep".to_owned(),
            holder: shared.replicas.own(),
            ttl: LEASE_TTL,
            now: shared.env.now(),
        };
        let grant = match shared.store.try_lease(request).await {
            Ok(LeaseOutcome::Held(grant)) => Some(grant),
            Ok(LeaseOutcome::Taken { .. }) => None,
            // A store that cannot say does not give the lease; the probe reports its fault.
            Err(error) => {
                if error.kind() == StoreErrorKind::Fenced {
                    shared.replicas.doubt();
                }
                None
            }
        };
        if grant != self.grant {
            self.sweeps = 0;
            tracing::info!(is_held = grant.is_some(), "the lease on upkeep changed");
        }
        if grant.is_none() {
            shared.health.advise("maintenance", Vec::new());
        }
        shared.metrics.lease_held(grant.is_some());
        self.grant = grant;
    }

    async fn serve(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let Some(grant) = &self.grant else {
            return Ok(());
        };
        let maintains = self.sweeps.is_multiple_of(SWEEPS_PER_MAINTENANCE);
        match work(shared, grant, maintains).await {
            Err(error) if error.kind() == StoreErrorKind::Fenced => {
                tracing::info!("another brain has the lease on upkeep by now");
                shared.metrics.lease_held(false);
                self.grant = None;
                Ok(())
            }
            done => {
                self.sweeps = self.sweeps.wrapping_add(1);
                done
            }
        }
    }
}

async fn work(shared: &Shared, grant: &LeaseGrant, maintains: bool) -> Result<(), StoreError> {
    let now = shared.env.now();
    let silent_after = shared.config.agents.worker_silent_after;
    let workers = shared.store.sweep_workers(grant, now, silent_after).await;
    let workers = workers.inspect_err(|error| {
        if error.kind() != StoreErrorKind::Fenced {
            shared.hub.doubts().of_everything();
        }
    })?;
    publish_workers(shared, &workers);
    if maintains {
        let advice = shared.store.maintain(grant, now).await?;
        shared.health.advise("maintenance", advice);
    }
    Ok(())
}
