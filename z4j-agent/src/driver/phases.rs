//! From one phase to the next: a session begins, or ends and the next dial is planned.

use tracing::{info, warn};
use z4j_core::session::{Established, Failure, FailureClass};

use super::live::Live;
use super::{Driver, Phase, close_reason};
use crate::buffer::Evicted;

impl Driver {
    pub(super) fn established(&mut self, established: Established) {
        let phase = std::mem::replace(&mut self.phase, Phase::Dialling);
        if let Phase::Greeting { session, .. } = phase {
            let stored = established.ack.stream.map(|stream| stream.position);
            let live = Live::new(*session, established, self.env.elapsed());
            match self.buffer.link_up(live.payload_bytes_max(), stored) {
                Ok(lost) => self.declare(lost),
                Err(ahead) => {
                    warn!(
                        stored = ahead.stored,
                        made = ahead.assigned,
                        "the brain has more of the stream than was ever made"
                    );
                    let class = FailureClass::Protocol;
                    return self.fail(class, Some("stream_ahead".to_owned()));
                }
            }
            self.last_connect_at = Some(self.env.now());
            self.phase = Phase::Live(Box::new(live));
            info!("connected to the brain");
        }
    }

    pub(super) fn give_up(&mut self, failure: Failure) {
        warn!(class = ?failure.class, reason = failure.reason, "the link is given up");
        self.fail(failure.class, Some(failure.reason));
    }

    /// The link is gone, or must be closed with this text; the next dial is planned.
    pub(super) fn fail(&mut self, class: FailureClass, close: Option<String>) {
        if matches!(self.phase, Phase::Stopped) {
            return;
        }
        let now = self.env.elapsed();
        if let Phase::Live(live) = &self.phase {
            self.backoff.session_ended(live.age(now), live.had_ack());
        }
        let lost = self.buffer.link_down();
        self.declare(lost);
        self.desk.link_down(self.env.elapsed());
        self.close = close.map(close_reason);
        self.phase = Phase::Waiting {
            dial_at: now + self.backoff.delay(class, &self.env),
            because: Some(class),
        };
    }

    pub(super) fn declare(&mut self, lost: Evicted) {
        if lost.events > 0 {
            self.ledger.evicted(lost.frames, lost.events);
        }
    }
}
