//! Reads an engine's events with a deadline.

use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::StreamExt as _;
use z4j_core::engine::{EngineEvent, ObservedEvent};
use z4j_core::task::EventKind;

use super::EngineRig;

/// An engine that says nothing for so long is stuck.
const EVENT_WAIT: Duration = Duration::from_secs(20);

/// What an engine said so far.
pub(super) struct Watch {
    events: BoxStream<'static, ObservedEvent>,
    pub(super) seen: Vec<EngineEvent>,
    pub(super) lost: u64,
}

impl Watch {
    pub(super) fn of(rig: &dyn EngineRig) -> Self {
        Self {
            events: rig.engine().events(),
            seen: Vec::new(),
            lost: 0,
        }
    }

    /// Reads until `is_enough`; what is missing then is named by `wanted`.
    pub(super) async fn until(&mut self, wanted: &str, is_enough: impl Fn(&Self) -> bool) {
        while !is_enough(self) {
            let next = tokio::time::timeout(EVENT_WAIT, self.events.next()).await;
            match next {
                Ok(Some(ObservedEvent::Event(event))) => self.seen.push(event),
                Ok(Some(ObservedEvent::Lost(events))) => self.lost += events,
                Ok(None) => panic!("the engine's events ended before {wanted}"),
                Err(_) => panic!(
                    "the engine did not report {wanted} within {EVENT_WAIT:?}; it reported {:?}",
                    self.kinds()
                ),
            }
        }
    }

    /// Reads until the task has this event.
    pub(super) async fn until_task(&mut self, task_id: &str, kind: &EventKind) {
        let wanted = format!("{kind} of task {task_id}");
        self.until(&wanted, |watch| watch.kinds_of(task_id).contains(&kind))
            .await;
    }

    /// The kinds of a task's events, in the order in which they were reported.
    pub(super) fn kinds_of(&self, task_id: &str) -> Vec<&EventKind> {
        let of_task = self.seen.iter().filter(|event| event.task_id == task_id);
        of_task.map(|event| &event.kind).collect()
    }

    fn kinds(&self) -> Vec<(&str, &EventKind)> {
        let all = self.seen.iter();
        all.map(|event| (event.task_id.as_str(), &event.kind))
            .collect()
    }
}
