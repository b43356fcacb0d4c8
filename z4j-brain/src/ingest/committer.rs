//! Writes what waits, again and again, and hands what is durable to those who acknowledge it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use z4j_core::limits;

use super::commit::{self, Settlement};
use super::frame::{LinkBudget, PendingFrame};
use super::gather::Gather;
use super::settle;
use super::under_way::StreamsUnderWay;
use crate::shared::Shared;

/// Commits whose acks may still be under way while the next one is written.
const SETTLEMENTS_WAITING: usize = 4;

/// The queue in front of the store's ingest, and the work behind it.
#[derive(Debug)]
pub(crate) struct Committer {
    gather: Gather,
    bytes: Arc<Semaphore>,
    linger: Duration,
    abandoned: CancellationToken,
    /// Streams of which frames wait here or are being written.
    pub(crate) streams: StreamsUnderWay,
}

impl Committer {
    /// Waits `linger` for more frames once it has some.
    pub(crate) fn new(linger: Duration) -> Self {
        Self {
            gather: Gather::default(),
            bytes: Arc::new(Semaphore::new(limits::UNCOMMITTED_BYTES_MAX)),
            linger,
            abandoned: CancellationToken::new(),
            streams: StreamsUnderWay::default(),
        }
    }

    /// The memory that a new link may take.
    pub(crate) fn budget(&self) -> LinkBudget {
        LinkBudget::new(Arc::clone(&self.bytes))
    }

    /// Adds a frame. Never waits: whoever reads sockets waited for the frame's permits before.
    pub(crate) fn submit(&self, frame: PendingFrame) {
        self.gather.push(frame);
    }

    /// No frame comes any more. [`Self::run`] ends when the last one is settled.
    pub(crate) fn close(&self) {
        self.gather.close();
    }

    /// Gives up what the store does not take: it is not acknowledged, so agents send it again.
    pub(crate) fn abandon(&self) {
        self.abandoned.cancel();
    }

    /// Ends when frames are given up.
    pub(super) async fn abandoned(&self) {
        self.abandoned.cancelled().await;
    }

    /// Commits until [`Self::close`]. While one batch is written the next one gathers, and the acks of the one before
    /// go out.
    pub(crate) async fn run(&self, shared: &Shared) {
        let (send, receive) = mpsc::channel(SETTLEMENTS_WAITING);
        tokio::join!(self.write(shared, send), settle::run(shared, receive));
    }

    async fn write(&self, shared: &Shared, settled: mpsc::Sender<Settlement>) {
        while let Some(mut frames) = self.next().await {
            frames.retain(|frame| !frame.link.is_revoked());
            commit::commit(shared, frames, &settled).await;
        }
    }

    async fn next(&self) -> Option<Vec<PendingFrame>> {
        if self.linger.is_zero() {
            // Lets every reader that is ready add its frame first.
            tokio::task::yield_now().await;
            return self.gather.next().await;
        }
        let mut frames = self.gather.next().await?;
        tokio::select! {
            biased;
            () = tokio::time::sleep(self.linger) => {}
            () = self.abandoned.cancelled() => {}
        }
        frames.extend(self.gather.take_now());
        Some(frames)
    }
}
