//! The buffer of a published agent: a file that outlives its process.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use z4j_core::wire::TelemetryLoss;

/// A batch in the buffer.
#[derive(Clone, Debug)]
pub(crate) struct DiskEntry {
    /// The frame's id, the same at every send.
    pub(crate) frame_id: String,
    /// The payload as JSON text.
    pub(crate) payload: String,
    /// The oracle's numbers of the events in it.
    pub(crate) events: Vec<usize>,
    /// Entries of it that are events or were meant to be.
    pub(crate) records: u64,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<DiskEntry>,
    loss: TelemetryLoss,
    done: BTreeSet<String>,
}

/// The buffer. Clones are one file.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    state: Arc<Mutex<State>>,
    /// Something was added.
    pub(crate) added: Arc<Notify>,
    entries_max: usize,
}

impl Disk {
    pub(crate) fn new(buffer_id: String, entries_max: usize) -> Self {
        let state = State {
            loss: TelemetryLoss {
                buffer_id,
                ..TelemetryLoss::default()
            },
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            added: Arc::default(),
            entries_max,
        }
    }

    /// Adds a batch; the events that a full buffer dropped for it.
    pub(crate) fn push(&self, entry: DiskEntry, declares: bool) -> Vec<usize> {
        let mut state = self.lock();
        let mut evicted = Vec::new();
        while state.entries.len() >= self.entries_max {
            let Some(oldest) = state.entries.pop_front() else {
                break;
            };
            if declares {
                state.loss.capacity_evicted_frames += 1;
                state.loss.event_records += oldest.records;
            }
            evicted.extend(oldest.events);
        }
        state.entries.push_back(entry);
        drop(state);
        self.added.notify_one();
        evicted
    }

    /// Takes over what another process left.
    pub(crate) fn adopt(&self, other: &Self) {
        let entries = std::mem::take(&mut other.lock().entries);
        self.lock().entries.extend(entries);
        self.added.notify_one();
    }

    /// The oldest batch that `wants` takes.
    pub(crate) fn find(&self, wants: impl Fn(&DiskEntry) -> bool) -> Option<DiskEntry> {
        self.lock()
            .entries
            .iter()
            .find(|entry| wants(entry))
            .cloned()
    }

    /// Deletes a batch.
    pub(crate) fn delete(&self, frame_id: &str) {
        self.lock()
            .entries
            .retain(|entry| entry.frame_id != frame_id);
    }

    /// The id of the oldest batch.
    pub(crate) fn oldest(&self) -> Option<String> {
        let state = self.lock();
        state.entries.front().map(|entry| entry.frame_id.clone())
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Loss that was declared, or will be with the next heartbeat.
    pub(crate) fn loss(&self) -> TelemetryLoss {
        self.lock().loss.clone()
    }

    /// Whether a command was carried out already; notes that it is now.
    pub(crate) fn is_done(&self, key: &str) -> bool {
        self.lock().done.contains(key)
    }

    /// Notes that a command was carried out.
    pub(crate) fn did(&self, key: String) {
        self.lock().done.insert(key);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
