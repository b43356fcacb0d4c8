//! One file descriptor that is kept, to accept with when all others are in use.
//!
//! Without it newcomers wait in the listen queue until some connection ends, and neither they nor a load balancer in front
//! of the brain learn that this one has no room.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

/// The process has no descriptor left, or the whole machine (`EMFILE`, `ENFILE`: the same numbers on every Unix).
const SHORTAGES: [i32; 2] = [24, 23];
/// For a newcomer that is surely there, unless it left.
const ACCEPT_WAIT: Duration = Duration::from_millis(10);
/// While not even the spare one can be had.
const EMPTY_PAUSE: Duration = Duration::from_millis(100);
/// Whoever connects again and again must not fill the log.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Whether an accept failed for want of descriptors.
pub(super) fn is_shortage(fault: &io::Error) -> bool {
    fault
        .raw_os_error()
        .is_some_and(|number| SHORTAGES.contains(&number))
}

/// The descriptor that is kept: a copy of the listener's.
#[derive(Debug)]
pub(super) struct Spare {
    held: Option<OwnedFd>,
    said_at: Option<Duration>,
}

impl Spare {
    /// Takes one.
    pub(super) fn of(listener: &TcpListener) -> Self {
        Self {
            held: listener.as_fd().try_clone_to_owned().ok(),
            said_at: None,
        }
    }

    /// Accepts one newcomer in place of the spare descriptor, and closes it. `now` is the monotonic clock.
    pub(super) async fn turn_away(&mut self, listener: &TcpListener, now: Duration) {
        self.say(now);
        if self.held.take().is_none() {
            sleep(EMPTY_PAUSE).await;
        } else {
            let _closed = timeout(ACCEPT_WAIT, listener.accept()).await;
        }
        self.held = listener.as_fd().try_clone_to_owned().ok();
    }

    fn say(&mut self, now: Duration) {
        let is_said = |at| now.saturating_sub(at) < SAID_EVERY;
        if self.said_at.is_some_and(is_said) {
            return;
        }
        self.said_at = Some(now);
        tracing::warn!(
            "new connections are closed: the process has no file descriptor left; raise its limit (ulimit -n)"
        );
    }
}
