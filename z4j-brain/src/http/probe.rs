//! Asks the store whether it works, but not more often than once a second.

use std::time::Duration;

use tokio::sync::Mutex;
use z4j_core::store::StoreErrorKind;

use crate::shared::Shared;

const KEPT: Duration = Duration::from_secs(1);

/// What the store last said of itself.
#[derive(Debug, Default)]
pub(crate) struct ProbeCache(Mutex<Option<(Duration, Option<StoreErrorKind>)>>);

impl ProbeCache {
    /// Why the store takes no writes; `None` when it does. Callers that come together share one look.
    pub(crate) async fn fault(&self, shared: &Shared) -> Option<StoreErrorKind> {
        let mut last = self.0.lock().await;
        let now = shared.env.elapsed();
        if let Some((at, fault)) = *last
            && now.saturating_sub(at) < KEPT
        {
            return fault;
        }
        let fault = match shared.store.probe(shared.env.now()).await {
            Ok(health) => {
                shared.health.note(health);
                shared.health.heal();
                None
            }
            Err(fault) => {
                shared.health.fail(&fault);
                Some(fault.kind())
            }
        };
        *last = Some((shared.env.elapsed(), fault));
        fault
    }
}
