//! Reads what an engine observes and hands it, redacted, to the agent's loop.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use z4j_core::engine::{Engine, ObservedEvent};
use z4j_core::env::Env;

use crate::buffer::EventJson;
use crate::capture::{self, Scrubber};

/// How long to wait before reading from an engine again whose stream panicked.
const RESTART_WAIT: Duration = Duration::from_secs(1);

/// What a pump hands over.
#[derive(Debug)]
pub(crate) enum Captured {
    /// An event, ready for a frame.
    Event(EventJson),
    /// An event that no frame can carry.
    Rejected,
    /// The engine of this name lost so many events.
    Lost(Arc<str>, u64),
}

/// Reads one engine until it ends, or until `stop` and then what is at hand.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) name: Arc<str>,
    pub(crate) env: Env,
    pub(crate) scrubber: Scrubber,
    pub(crate) out: mpsc::Sender<Captured>,
    pub(crate) stop: CancellationToken,
}

impl Pump {
    pub(crate) async fn run(self) {
        while AssertUnwindSafe(self.read()).catch_unwind().await.is_err() {
            warn!(engine = %self.name, "the engine's event stream panicked and is read anew");
            if self
                .stop
                .run_until_cancelled(tokio::time::sleep(RESTART_WAIT))
                .await
                .is_none()
            {
                return;
            }
        }
    }

    async fn read(&self) {
        let mut events = self.engine.events();
        while let Some(Some(event)) = self.stop.run_until_cancelled(events.next()).await {
            if !self.hand_over(event).await {
                return;
            }
        }
        // What was recorded before the stop is not lost by it.
        while let Some(Some(event)) = events.next().now_or_never() {
            if !self.hand_over(event).await {
                return;
            }
        }
    }

    async fn hand_over(&self, event: ObservedEvent) -> bool {
        let captured = match event {
            ObservedEvent::Lost(events) => Captured::Lost(Arc::clone(&self.name), events),
            ObservedEvent::Event(event) => {
                capture::event_json(&self.env, &self.scrubber, &self.name, event)
                    .map_or(Captured::Rejected, Captured::Event)
            }
        };
        self.out.send(captured).await.is_ok()
    }
}
