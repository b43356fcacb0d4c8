//! What waits to be sent on one link.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use z4j_core::id::CommandId;

use crate::ingest::Permits;

/// What waits to be sent on one link.
///
/// Bounded without a limit of its own: an ack holds the permits of the frame that it answers until it is written, so a
/// peer that does not read its acks stops being read itself; commands are claimed only while few are in flight.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

/// What was waiting.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Acks, in the order of their commits.
    pub(crate) acks: Vec<Ack>,
    /// Commands, in the order claimed.
    pub(crate) commands: Vec<OutgoingCommand>,
}

/// The answer to one batch that is durable.
#[derive(Debug)]
pub(crate) struct Ack {
    /// The batch.
    pub(crate) frame_id: Box<str>,
    /// Events in it.
    pub(crate) received: usize,
    /// Events that were new.
    pub(crate) accepted: usize,
    /// What the frame takes of the brain's memory, given back when the ack is written.
    pub(crate) permits: Permits,
}

/// A command that was claimed for this link.
#[derive(Debug)]
pub(crate) struct OutgoingCommand {
    /// Its id.
    pub(crate) id: CommandId,
    /// The payload as JSON.
    pub(crate) payload: Bytes,
}

impl Waiting {
    /// Whether nothing waits.
    pub(crate) const fn is_empty(&self) -> bool {
        self.acks.is_empty() && self.commands.is_empty()
    }
}

impl Outbox {
    /// Adds acks.
    pub(crate) fn push_acks(&self, acks: impl IntoIterator<Item = Ack>) {
        self.with(|waiting| waiting.acks.extend(acks));
        self.wake();
    }

    /// Adds a command.
    pub(crate) fn push_command(&self, command: OutgoingCommand) {
        self.with(|waiting| waiting.commands.push(command));
        self.wake();
    }

    /// Takes everything that waits.
    pub(crate) fn take(&self) -> Waiting {
        self.with(std::mem::take)
    }

    /// Lets the writer look again.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits for [`Self::wake`]; a call before the wait counts.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    fn with<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
