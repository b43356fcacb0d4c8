//! The two ends of a simulated link, as the transport seam wants them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use z4j_core::transport::{
    CloseReason, FrameSink, FrameSource, TransportError, TransportErrorKind,
};

use super::Network;
use super::cable::Cable;
use super::pipe::{Item, Next};
use super::weather::Direction;
use crate::sim::Situation;

/// After this long without any sign of the other end an agent's transport gives a link up, as WebSocket pings would.
const PING_WAIT: Duration = Duration::from_secs(60);

/// Sends in one direction.
#[derive(Debug)]
pub(super) struct SimSink {
    pub(super) network: Network,
    pub(super) cable: Arc<Cable>,
    pub(super) direction: Direction,
}

/// Receives from one direction.
#[derive(Debug)]
pub(super) struct SimSource {
    pub(super) network: Network,
    pub(super) cable: Arc<Cable>,
    pub(super) direction: Direction,
}

fn lost() -> TransportError {
    TransportError::new(TransportErrorKind::Unreachable)
}

#[async_trait]
impl FrameSink for SimSink {
    async fn send(&mut self, frame: Bytes) -> Result<(), TransportError> {
        let pipe = self.cable.pipe(self.direction);
        loop {
            if self.cable.is_cut() || pipe.is_receiver_gone() {
                return Err(lost());
            }
            if !pipe.is_full() {
                break;
            }
            pipe.room.notified().await;
        }
        self.network.carry(&self.cable, self.direction, &frame);
        Ok(())
    }

    async fn close(&mut self, reason: CloseReason) -> Result<(), TransportError> {
        if self.cable.is_cut() {
            return Err(lost());
        }
        self.network.close(&self.cable, self.direction, reason);
        Ok(())
    }
}

impl Drop for SimSink {
    fn drop(&mut self) {
        self.network.ended(&self.cable, self.direction);
    }
}

impl SimSource {
    /// When the agent's pings would have gone unanswered for too long.
    fn gives_up_at(&self) -> Option<Duration> {
        let since = self.cable.stuck_since()?;
        (self.direction == Direction::Down).then(|| since + PING_WAIT)
    }
}

#[async_trait]
impl FrameSource for SimSource {
    async fn recv(&mut self) -> Result<Option<Bytes>, TransportError> {
        let record = self.network.record().clone();
        let pipe = self.cable.pipe(self.direction);
        loop {
            let now = record.elapsed();
            if self.cable.is_cut() {
                return Err(lost());
            }
            let gives_up_at = self.gives_up_at();
            if gives_up_at.is_some_and(|at| now >= at) {
                record.meet(Situation::ClosedAsSilent);
                return Err(lost());
            }
            let next = if self.cable.is_silent() {
                Next::Nothing
            } else {
                pipe.next(now)
            };
            let due = match next {
                Next::Arrived(Item::Frame { bytes, is_own }) => {
                    self.network
                        .delivered(&self.cable, self.direction, &bytes, is_own);
                    return Ok(Some(bytes));
                }
                Next::Arrived(Item::Close(reason)) => {
                    return Err(TransportError::new(TransportErrorKind::Closed(reason)));
                }
                Next::Arrived(Item::End) => return Ok(None),
                Next::At(due) => Some(due),
                Next::Nothing => None,
            };
            let wake_at = [due, gives_up_at].into_iter().flatten().min();
            let sleep = async {
                match wake_at {
                    Some(at) => tokio::time::sleep_until(record.begin() + at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = pipe.arrived.notified() => {}
                () = sleep => {}
            }
        }
    }
}

impl Drop for SimSource {
    fn drop(&mut self) {
        self.cable.pipe(self.direction).leave();
    }
}
