//! Tells the others what this brain committed: at once when it was quiet, gathered when much happens.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use z4j_core::store::{Announcement, News, StoreErrorKind};

use super::longer;
use crate::ops::chain;
use crate::shared::Shared;

/// News is gathered this long before the next announcement.
const GATHER: Duration = Duration::from_millis(150);
/// Announcements that are made at once, at most; beyond it news only says which projects changed.
const PARTS_MAX: usize = 6;
/// Between tries to make an announcement.
const RETRY_WAIT: Duration = Duration::from_millis(100);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(2);

/// Announces until `halt`, and then what is left, once.
pub(super) async fn run(shared: &Shared, halt: &CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = halt.cancelled() => break,
            () = shared.hub.outgoing().ready() => {}
        }
        announce(shared, halt).await;
        tokio::select! {
            biased;
            () = halt.cancelled() => break,
            () = tokio::time::sleep(GATHER) => {}
        }
    }
    announce(shared, halt).await;
}

async fn announce(shared: &Shared, halt: &CancellationToken) {
    for news in News::pack(shared.hub.outgoing().take(), PARTS_MAX) {
        let (from, number) = shared.replicas.next_announcement();
        send(shared, halt, Announcement { from, number, news }).await;
    }
}

/// Sends the same again until it is surely sent: what was heard twice has one number. What happens meanwhile is gathered.
async fn send(shared: &Shared, halt: &CancellationToken, announcement: Announcement) {
    let mut wait = RETRY_WAIT;
    loop {
        let Err(error) = shared.store.announce(announcement.clone()).await else {
            return shared.metrics.announcements("sent");
        };
        shared.metrics.store_fault(error.kind().as_str());
        tracing::debug!(error = %chain(&error), "an announcement waits for the store");
        if halt.is_cancelled() || error.kind() == StoreErrorKind::Internal {
            // The others see in this brain's beats, or in its end, that they missed something.
            return;
        }
        tokio::select! {
            biased;
            () = halt.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
        wait = longer(wait, RETRY_WAIT_MAX);
    }
}
