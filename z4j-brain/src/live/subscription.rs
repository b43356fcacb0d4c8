//! One reader of a project's changes.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use z4j_core::env::Env;

use super::channel::Channel;
use super::delta::Delta;

/// One reader of a project's changes. It holds a position and nothing else.
#[derive(Debug)]
pub(crate) struct Subscription {
    channel: Arc<Channel>,
    env: Env,
    head: watch::Receiver<u64>,
    position: u64,
}

/// What a reader is told.
#[derive(Clone, Debug)]
pub(crate) struct LiveMessage {
    /// The reader that says it has seen this number is sent what came after it.
    pub(crate) id: u64,
    /// What changed.
    pub(crate) body: LiveBody,
}

/// What changed.
#[derive(Clone, Debug)]
pub(crate) enum LiveBody {
    /// The latest version of each row that changed since the last message, oldest change first.
    Deltas(Vec<Arc<Delta>>),
    /// Something was missed, for this reason: everything must be fetched again.
    Reset(&'static str),
}

impl Subscription {
    pub(super) fn new(channel: Arc<Channel>, env: Env, last_id: Option<u64>) -> Self {
        let head = channel.watch();
        let position = last_id.unwrap_or_else(|| channel.head());
        Self {
            channel,
            env,
            head,
            position,
        }
    }

    /// The number after which this reader continues.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// Waits for something that this reader does not know, and gives all of it at once, conflated. Cancel-safe.
    ///
    /// A reader that waits a little between calls gets fewer, larger messages; it never holds anybody up.
    pub(crate) async fn next(&mut self) -> LiveMessage {
        loop {
            self.head.borrow_and_update();
            if self.channel.head() != self.position {
                return self.take();
            }
            // The sender lives in the channel that this reader holds, so waiting cannot fail.
            let _ = self.head.changed().await;
        }
    }

    fn take(&mut self) -> LiveMessage {
        self.channel.follow(self.env.elapsed());
        let (head, kept) = self.channel.since(self.position);
        self.position = head;
        let body = kept.map_or(LiveBody::Reset("too_far_behind"), |deltas| {
            LiveBody::Deltas(conflate(deltas))
        });
        LiveMessage { id: head, body }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.channel.follow(self.env.elapsed());
    }
}

/// Keeps the latest delta of each row, in the order of the latest.
fn conflate(deltas: Vec<Arc<Delta>>) -> Vec<Arc<Delta>> {
    let mut latest = HashMap::with_capacity(deltas.len());
    for (at, delta) in deltas.iter().enumerate() {
        latest.insert(delta.key(), at);
    }
    if latest.len() == deltas.len() {
        return deltas;
    }
    let kept = |(at, delta): &(usize, Arc<Delta>)| latest.get(&delta.key()) == Some(at);
    deltas
        .into_iter()
        .enumerate()
        .filter(kept)
        .map(|(_, delta)| delta)
        .collect()
}
