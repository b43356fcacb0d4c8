//! The pages of a ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use z4j_core::id::{EventId, TaskKey};
use z4j_core::task::TaskEvent;

use super::ledger::LinkId;
use super::{Tally, Trace};

/// An event as its engine told it.
#[derive(Clone, Debug)]
pub(super) struct Emitted {
    pub(super) agent: String,
    pub(super) task: TaskKey,
    pub(super) event: TaskEvent,
}

/// What a ledger has noted.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) emitted: BTreeMap<EventId, Emitted>,
    pub(super) batches: BTreeMap<(Arc<str>, String), Vec<EventId>>,
    pub(super) acked: BTreeSet<EventId>,
    pub(super) executed: BTreeMap<String, u64>,
    pub(super) received: BTreeMap<String, u64>,
    pub(super) violations: Vec<String>,
    pub(super) tally: Tally,
    pub(super) trace: Trace,
    pub(super) open: BTreeMap<Arc<str>, BTreeSet<u64>>,
    /// By stream: which event stands at which position.
    pub(super) streams: BTreeMap<String, BTreeMap<u64, EventId>>,
    /// The stream that a link resumes.
    pub(super) resumes: BTreeMap<u64, String>,
    pub(super) seqs: BTreeMap<(Arc<str>, u64, bool), u64>,
}

impl Book {
    /// Notes where events stand in the stream of a link; true when another event has one of the places.
    pub(super) fn place(&mut self, link: &LinkId, first: u64, events: &[EventId]) -> bool {
        let Some(stream) = self.resumes.get(&link.number) else {
            return false;
        };
        let places = self.streams.entry(stream.clone()).or_default();
        let mut is_taken = false;
        for (position, event) in (first..).zip(events) {
            let before = places.insert(position, *event);
            is_taken |= before.is_some_and(|before| before != *event);
        }
        is_taken
    }

    /// A brain that says where a stream goes on promises what stands before that.
    pub(super) fn resumed(&mut self, link: &LinkId, position: u64) -> Vec<EventId> {
        let stream = self.resumes.get(&link.number);
        let places = stream.and_then(|stream| self.streams.get(stream));
        let promised = places
            .into_iter()
            .flat_map(|places| places.range(..=position));
        let events: Vec<EventId> = promised.map(|(_, event)| *event).collect();
        self.acked.extend(events.iter().copied());
        events
    }
}
