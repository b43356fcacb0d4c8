//! Beats, burials, and what a brain does that finds itself buried.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use z4j_core::id::ReplicaId;
use z4j_core::store::{BeatOutcome, Estate, ForgetOutcome, ForgetReplica, ReplicaBeat, StoreError};
use z4j_core::wire::CloseCode;

use super::watch::{Look, Moment};
use crate::ops::chain;
use crate::shared::Shared;

/// How often a start that the store does not allow is tried again.
const START_WAIT: Duration = Duration::from_millis(500);

/// Makes this brain known to the store, and buries those that are surely gone. False when it is stopped before.
pub(crate) async fn register(shared: &Shared, stop: &CancellationToken) -> bool {
    loop {
        match beat(shared, true).await {
            Ok(()) => return true,
            Err(error) => {
                if shared.health.fail(&error) {
                    tracing::error!(error = %chain(&error), "the brain waits: the store takes no writes");
                }
            }
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep(START_WAIT) => {}
            () = stop.cancelled() => return false,
        }
    }
}

/// Beats until `halt`.
pub(super) async fn run(shared: &Shared, halt: &CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = halt.cancelled() => return,
            () = shared.replicas.doubted() => {}
            () = tokio::time::sleep(shared.config.replicas.beat_interval) => {}
        }
        if let Err(error) = beat(shared, false).await {
            shared.metrics.store_fault(error.kind().as_str());
            if shared.health.fail(&error) {
                tracing::error!(error = %chain(&error), "the other brains do not hear of this one: the store takes no writes");
            }
        }
    }
}

/// Takes its leave, so that the others need not wait: its links are closed by now.
pub(crate) async fn leave(shared: &Shared) {
    let (replica, beat) = {
        let state = shared.replicas.lock();
        (state.own, state.watch.own_beat())
    };
    if let Err(error) = bury(shared, replica, beat).await {
        tracing::warn!(error = %chain(&error), "the other brains were not told that this one stops; they will find out");
    }
}

async fn beat(shared: &Shared, is_first: bool) -> Result<(), StoreError> {
    let config = &shared.config.replicas;
    let (now, began) = (shared.env.now(), shared.env.elapsed());
    let (replica, announced) = {
        let state = shared.replicas.lock();
        (state.own, state.announced)
    };
    let beat = ReplicaBeat {
        replica,
        is_first,
        announced,
        now,
    };
    match shared.store.beat(beat).await? {
        BeatOutcome::Buried => come_back(shared).await,
        BeatOutcome::Alive(rows) => {
            let moment = Moment {
                now,
                began,
                ended: shared.env.elapsed(),
                patience: config.silent_after,
                gap_max: config.silent_after / 2,
            };
            let look = shared.replicas.look(&rows, &moment);
            follow_up(shared, look).await;
            Ok(())
        }
    }
}

async fn follow_up(shared: &Shared, look: Look) {
    for (replica, beat) in look.dead {
        match bury(shared, replica, beat).await {
            Ok(ForgetOutcome::Forgotten(estate)) => {
                tracing::warn!(%replica, links = estate.links, commands = estate.commands.len(), "buried a brain that fell silent");
                inherit(shared, estate);
                shared.replicas.lock().watch.bury(replica);
                shared.hub.miss_all();
            }
            Ok(ForgetOutcome::Lives) => {}
            Ok(ForgetOutcome::Unknown) => {
                shared.replicas.lock().watch.bury(replica);
                shared.hub.miss_all();
            }
            Err(error) => {
                tracing::warn!(%replica, error = %chain(&error), "a silent brain could not be buried; the next beat tries again");
            }
        }
    }
    let others = shared.replicas.others();
    shared.metrics.replicas(others + 1);
    shared.health.advise("replicas", shared.replicas.warnings());
    shared.hub.outgoing().turn(others > 0);
    if look.has_joined && others > 0 {
        // Whatever was committed before the newcomer was known is not announced to it.
        shared.hub.outgoing().everything();
    }
    if look.has_missed {
        shared.metrics.announcements("missed");
    }
    if look.has_missed || look.has_left {
        shared.hub.miss_all();
    }
}

async fn bury(shared: &Shared, replica: ReplicaId, beat: u64) -> Result<ForgetOutcome, StoreError> {
    let forget = ForgetReplica {
        replica,
        beat,
        at: shared.replicas.now(&shared.env),
    };
    shared.store.forget_replica(forget).await
}

/// What the dead left changes here too.
fn inherit(shared: &Shared, estate: Estate) {
    for command in estate.commands {
        shared.dispatcher.publish(shared, command);
    }
    shared.dispatcher.wake();
}

/// Goes on under another name. Whatever this brain did under the old one is over: its links are closed in the store, so
/// they are closed here, and agents connect anew; its leases have other holders.
async fn come_back(shared: &Shared) -> Result<(), StoreError> {
    let name = ReplicaId::from_u128(shared.env.next_id());
    tracing::warn!(
        was = %shared.replicas.own(), is = %name,
        "the other brains buried this one while it did not answer; its agents connect anew"
    );
    for link in shared.links.all() {
        link.close(CloseCode::GoingAway);
    }
    shared.replicas.rename(name);
    let known = Box::pin(beat(shared, true)).await;
    // After that: from here on nothing is missed unseen.
    shared.hub.miss_all();
    known
}
