//! Work that one brain does for all that share a store: silent workers, overdue commands.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use z4j_core::store::{LeaseGrant, LeaseOutcome, LeaseRequest, StoreError};

use crate::ingest::publish_workers;
use crate::ops::chain;
use crate::shared::Shared;

/// How often overdue commands are looked for.
const TICK: Duration = Duration::from_secs(1);
/// The lease is renewed, and silent workers are looked for, every so many ticks.
const TICKS_PER_SWEEP: u32 = 3;
/// A holder that does not renew for this long has lost the lease.
const LEASE_TTL: Duration = Duration::from_secs(8);
/// Commands that one look settles.
const EXPIRE_MAX: u32 = 500;

/// Does the duties while this brain holds the lease.
pub(super) async fn run(shared: &Shared, halt: &CancellationToken) {
    let mut tick = 0;
    let mut grant = None;
    while !halt.is_cancelled() {
        if tick % TICKS_PER_SWEEP == 0 {
            grant = lease(shared).await;
        }
        if let Some(grant) = &grant
            && let Err(error) = duties(shared, grant, tick % TICKS_PER_SWEEP == 0).await
        {
            shared.metrics.store_fault(error.kind().as_str());
            if shared.health.fail(&error) {
                tracing::error!(error = %chain(&error), "silent workers and overdue commands wait for the store");
            }
        }
        tick += 1;
        tokio::select! {
            biased;
            () = tokio::time::sleep(TICK) => {}
            () = halt.cancelled() => {}
        }
    }
}

async fn lease(shared: &Shared) -> Option<LeaseGrant> {
    let request = LeaseRequest {
        name: "upkeep".to_owned(),
        holder: shared.replica,
        ttl: LEASE_TTL,
        now: shared.env.now(),
    };
    // A store that cannot say does not give the lease; the probe reports its fault.
    match shared.store.try_lease(request).await {
        Ok(LeaseOutcome::Held(grant)) => Some(grant),
        Ok(LeaseOutcome::Taken { .. }) | Err(_) => None,
    }
}

async fn duties(shared: &Shared, grant: &LeaseGrant, does_sweep: bool) -> Result<(), StoreError> {
    let now = shared.env.now();
    for command in shared.store.expire_commands(now, EXPIRE_MAX).await? {
        shared.dispatcher.publish(shared, command);
    }
    if does_sweep {
        let silent_after = shared.config.agents.worker_silent_after;
        let workers = shared.store.sweep_workers(grant, now, silent_after).await?;
        publish_workers(shared, &workers);
    }
    Ok(())
}
