//! Where an engine leaves what happened, from any thread, without ever waiting.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_core::stream::BoxStream;
use futures_util::stream;
use tokio::sync::Notify;
use z4j_core::engine::{EngineEvent, ObservedEvent};

/// Events that a tap holds when nothing else is said; as many as the published agents hold per engine.
pub const TAP_EVENTS_DEFAULT: usize = 10_000;

/// A bounded queue between an engine and an agent. A full tap drops the oldest event and says so.
///
/// Clones share one queue. Recording takes a lock for a few instructions and nothing else, so it is safe on the path
/// of a task; reading is for one agent.
///
/// ```
/// use z4j_agent::EventTap;
/// use z4j_core::engine::EngineEvent;
/// use z4j_core::task::EventKind;
/// use z4j_core::time::Timestamp;
///
/// let tap = EventTap::new(1_000);
/// tap.record(EngineEvent {
///     kind: EventKind::TaskStarted,
///     task_id: "t-1".to_owned(),
///     occurred_at: Timestamp::EPOCH,
///     data: serde_json::Map::new(),
/// });
/// let events = tap.events(); // what `Engine::events` gives to the agent
/// ```
#[derive(Clone)]
pub struct EventTap {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    filled: Notify,
}

struct Queue {
    events: VecDeque<EngineEvent>,
    events_max: usize,
    lost: u64,
}

impl EventTap {
    /// A tap for this many events, at least one.
    #[must_use]
    pub fn new(events_max: usize) -> Self {
        let queue = Queue {
            events: VecDeque::new(),
            events_max: events_max.max(1),
            lost: 0,
        };
        Self {
            shared: Arc::new(Shared {
                queue: Mutex::new(queue),
                filled: Notify::new(),
            }),
        }
    }

    /// Takes an event. Never waits and never fails.
    pub fn record(&self, event: EngineEvent) {
        self.with_queue(|queue| {
            if queue.events.len() >= queue.events_max {
                queue.events.pop_front();
                queue.lost += 1;
            }
            queue.events.push_back(event);
        });
        self.shared.filled.notify_one();
    }

    /// What was recorded and is not read yet, then what comes. For one reader.
    #[must_use]
    pub fn events(&self) -> BoxStream<'static, ObservedEvent> {
        let tap = self.clone();
        Box::pin(stream::unfold(tap, |tap| async move {
            let event = tap.next().await;
            Some((event, tap))
        }))
    }

    async fn next(&self) -> ObservedEvent {
        loop {
            let filled = self.shared.filled.notified();
            if let Some(event) = self.with_queue(Queue::take) {
                return event;
            }
            filled.await;
        }
    }

    fn with_queue<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        // A panic under this lock is impossible but for a failed allocation; the queue is whole either way.
        let mut queue = self
            .shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        work(&mut queue)
    }
}

impl Default for EventTap {
    fn default() -> Self {
        Self::new(TAP_EVENTS_DEFAULT)
    }
}

impl fmt::Debug for EventTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.with_queue(|queue| queue.events.len());
        f.debug_struct("EventTap")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

impl Queue {
    /// Losses come first: what was dropped is older than what is left.
    fn take(&mut self) -> Option<ObservedEvent> {
        match std::mem::take(&mut self.lost) {
            0 => self.events.pop_front().map(ObservedEvent::Event),
            lost => Some(ObservedEvent::Lost(lost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use z4j_core::task::EventKind;
    use z4j_core::time::Timestamp;

    use super::*;

    fn event(task_id: &str) -> EngineEvent {
        EngineEvent {
            kind: EventKind::TaskStarted,
            task_id: task_id.to_owned(),
            occurred_at: Timestamp::EPOCH,
            data: serde_json::Map::new(),
        }
    }

    #[tokio::test]
    async fn a_full_tap_drops_the_oldest_and_says_how_many() {
        let tap = EventTap::new(2);
        for number in 0..5 {
            tap.record(event(&number.to_string()));
        }
        let mut events = tap.events();
        assert!(matches!(events.next().await, Some(ObservedEvent::Lost(3))));
        for expected in ["3", "4"] {
            match events.next().await {
                Some(ObservedEvent::Event(event)) => assert_eq!(event.task_id, expected),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_from_another_thread() {
        let tap = EventTap::default();
        let mut events = tap.events();
        let writer = tap.clone();
        let thread = std::thread::spawn(move || writer.record(event("t")));
        assert!(matches!(events.next().await, Some(ObservedEvent::Event(_))));
        thread.join().unwrap();
    }
}
