//! One direction of a link: frames under way, each with the time at which it arrives.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use z4j_core::transport::CloseReason;

/// Bytes that may be under way before the sender waits: what kernels buffer, about.
const BYTES_MAX: usize = 128 << 10;

/// Something under way.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A frame; `is_own` when it is the first copy of what the sender sent, unspoiled.
    Frame { bytes: Bytes, is_own: bool },
    /// The sender closes with a code.
    Close(CloseReason),
    /// The sender is gone, and its kernel says so.
    End,
}

impl Item {
    const fn bytes(&self) -> usize {
        match self {
            Self::Frame { bytes, .. } => bytes.len(),
            Self::Close(_) | Self::End => 0,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    under_way: BTreeMap<(Duration, u64), Item>,
    held: VecDeque<Item>,
    next: u64,
    last_due: Duration,
    bytes: usize,
    is_receiver_gone: bool,
}

/// What a receiver finds.
#[derive(Debug)]
pub(super) enum Next {
    /// This has arrived.
    Arrived(Item),
    /// Something arrives then, unless something else comes first.
    At(Duration),
    /// Nothing is under way.
    Nothing,
}

/// One direction of a link.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    state: Mutex<State>,
    /// Something changed for the receiver.
    pub(super) arrived: Notify,
    /// Something changed for the sender.
    pub(super) room: Notify,
}

impl Pipe {
    /// Puts an item on its way. In order it arrives after what was sent before.
    pub(super) fn push(&self, item: Item, due: Duration, in_order: bool) {
        let mut state = self.lock();
        let due = if in_order {
            due.max(state.last_due)
        } else {
            due
        };
        if in_order {
            state.last_due = due;
        }
        state.bytes += item.bytes();
        let key = (due, state.next);
        state.next += 1;
        state.under_way.insert(key, item);
        drop(state);
        self.arrived.notify_one();
    }

    /// Keeps an item back until [`Self::release`].
    pub(super) fn hold(&self, item: Item) {
        let mut state = self.lock();
        state.bytes += item.bytes();
        state.held.push_back(item);
    }

    /// Puts everything that was kept back on its way, to arrive from `due` on; how much that was.
    pub(super) fn release(&self, due: Duration) -> usize {
        let held = std::mem::take(&mut self.lock().held);
        let count = held.len();
        for item in held {
            self.lock().bytes -= item.bytes();
            self.push(item, due, true);
        }
        count
    }

    /// Everything under way arrives now.
    pub(super) fn hurry(&self, now: Duration) {
        let mut state = self.lock();
        let under_way = std::mem::take(&mut state.under_way);
        state.last_due = now;
        let hurried = under_way.into_iter();
        state.under_way = hurried
            .zip(0_u64..)
            .map(|(((due, _), item), order)| ((due.min(now), order), item))
            .collect();
        state.next = u64::try_from(state.under_way.len()).unwrap_or(u64::MAX);
        drop(state);
        self.arrived.notify_one();
    }

    /// Whether the sender must wait.
    pub(super) fn is_full(&self) -> bool {
        self.lock().bytes >= BYTES_MAX
    }

    /// What the receiver finds at `now`.
    pub(super) fn next(&self, now: Duration) -> Next {
        let mut state = self.lock();
        let Some(entry) = state.under_way.first_entry() else {
            return Next::Nothing;
        };
        let due = entry.key().0;
        if due > now {
            return Next::At(due);
        }
        let item = entry.remove();
        state.bytes -= item.bytes();
        drop(state);
        self.room.notify_one();
        Next::Arrived(item)
    }

    /// The receiver is gone.
    pub(super) fn leave(&self) {
        self.lock().is_receiver_gone = true;
        self.room.notify_one();
    }

    /// Whether the receiver is gone.
    pub(super) fn is_receiver_gone(&self) -> bool {
        self.lock().is_receiver_gone
    }

    /// Lets both ends look again.
    pub(super) fn wake(&self) {
        self.arrived.notify_one();
        self.room.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
