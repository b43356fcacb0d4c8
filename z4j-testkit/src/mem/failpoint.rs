//! Faults on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// How a write goes wrong.
#[derive(Clone, Debug)]
pub enum Failpoint {
    /// `Err`, and nothing was written.
    BeforeCommit,
    /// `Err`, although everything was written.
    AfterCommit,
    /// Nothing happens until the gate opens; then the write goes on as if nothing had been.
    Stall(Gate),
}

/// Holds a write up. Clones are one gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    is_reached: watch::Sender<bool>,
    is_open: watch::Sender<bool>,
}

impl Gate {
    /// Returns when a write stands before the gate, or has passed it.
    pub async fn reached(&self) {
        wait_for(&self.0.is_reached).await;
    }

    /// Lets the write go on.
    pub fn open(&self) {
        self.0.is_open.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        self.0.is_reached.send_replace(true);
        wait_for(&self.0.is_open).await;
    }
}

/// The sender is borrowed, so the channel cannot close before the flag is up.
async fn wait_for(flag: &watch::Sender<bool>) {
    let _ = flag.subscribe().wait_for(|is_up| *is_up).await;
}

/// The failpoints that wait for a write, each used once.
#[derive(Debug, Default)]
pub(super) struct Failpoints(Mutex<VecDeque<(Option<&'static str>, Failpoint)>>);

impl Failpoints {
    pub(super) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(super) fn add(&self, method: Option<&'static str>, failpoint: Failpoint) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back((method, failpoint));
    }

    /// The first one that waits for `method` or for any.
    pub(super) fn take(&self, method: &'static str) -> Option<Failpoint> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = waiting
            .iter()
            .position(|(wanted, _)| wanted.is_none_or(|wanted| wanted == method))?;
        waiting.remove(place).map(|(_, failpoint)| failpoint)
    }
}
