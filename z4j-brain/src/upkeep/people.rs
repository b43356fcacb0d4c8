//! Lets live streams look at once when a session ended or rights changed, in whichever process (`reliability.md` I-25).

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use z4j_core::store::Topic;

use crate::shared::Shared;

/// Watches until `halt`. Hints only: streams look by themselves, too.
pub(super) async fn run(shared: &Shared, halt: &CancellationToken) {
    let mut hints = shared.store.wakeups(Topic::People);
    loop {
        tokio::select! {
            biased;
            () = halt.cancelled() => return,
            hint = hints.next() => match hint {
                Some(()) => shared.rights_changed(),
                None => return halt.cancelled().await,
            }
        }
    }
}
