//! Asks the store whether it takes writes: often after a fault, now and then otherwise.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ops::chain;
use crate::shared::Shared;

/// Between probes of a store that counts as faulty.
const FAULTY_INTERVAL: Duration = Duration::from_secs(1);
/// Between probes of a store that counts as sound.
const SOUND_INTERVAL: Duration = Duration::from_secs(15);

/// Probes until `halt`.
pub(super) async fn run(shared: &Shared, halt: &CancellationToken) {
    while !halt.is_cancelled() {
        probe(shared).await;
        let pause = if shared.health.is_faulty() {
            FAULTY_INTERVAL
        } else {
            SOUND_INTERVAL
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep(pause) => {}
            () = shared.health.faulted() => tokio::time::sleep(FAULTY_INTERVAL).await,
            () = halt.cancelled() => {}
        }
    }
}

async fn probe(shared: &Shared) {
    match shared.store.probe(shared.env.now()).await {
        Ok(found) => {
            shared.health.note(found);
            if shared.health.heal() {
                tracing::info!("the store takes writes again");
            }
        }
        Err(error) => {
            if shared.health.fail(&error) {
                tracing::error!(error = %chain(&error), "the store takes no writes");
            }
        }
    }
}
