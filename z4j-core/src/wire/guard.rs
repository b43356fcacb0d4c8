//! The replay guard of one session and direction.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Refusal;
use crate::env::Env;
use crate::limits;
use crate::time::Timestamp;

/// When a frame was read from its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// By the wall clock, to compare with the frame's ts.
    pub at: Timestamp,
    /// By the clock that never goes back, to age nonces.
    pub elapsed: Duration,
    /// How long this side may have left the frame lying, because it was busy with those before. Their age is not held against
    /// frames; order and nonces are what keeps a replay out.
    pub held_up: Duration,
}

impl Received {
    /// This moment.
    #[must_use]
    pub fn now(env: &Env) -> Self {
        Self {
            at: env.now(),
            elapsed: env.elapsed(),
            held_up: Duration::ZERO,
        }
    }
}

/// What the guard looks at. `None` stands for missing or of the wrong type.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// Position of the frame in its session and direction.
    pub seq: Option<u64>,
    /// Random text.
    pub nonce: Option<&'a str>,
    /// When it was sent.
    pub ts: Option<&'a str>,
}

/// Lets every frame of a session pass once, in order (wire §3.4, reliability D12).
///
/// # Contract
/// A new guard belongs to a new session id. A refused frame changes nothing.
#[derive(Debug, Default)]
pub struct ReplayGuard {
    last_seq: u64,
    ages: VecDeque<(Duration, [u8; 16])>,
    seen: HashSet<[u8; 16]>,
}

impl ReplayGuard {
    /// A guard that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The largest seq that passed; zero before the first.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Lets the frame pass and remembers it, or says why not.
    ///
    /// # Errors
    /// [`Refusal::Seq`], [`Refusal::Nonce`], [`Refusal::Ts`] or [`Refusal::Stale`], in the order of wire §3.4.
    pub fn admit(&mut self, stamp: Stamp<'_>, received: Received) -> Result<Timestamp, Refusal> {
        let seq = stamp.seq.filter(|seq| *seq >= 1).ok_or(Refusal::Seq)?;
        let nonce = stamp
            .nonce
            .filter(|nonce| !nonce.is_empty())
            .ok_or(Refusal::Nonce)?;
        let text = stamp.ts.ok_or(Refusal::Ts)?;
        let ts = Timestamp::parse(text, false).map_err(|_| Refusal::Ts)?;
        let (skew, is_ahead) = (ts.abs_diff(received.at), ts > received.at);
        let held_up = if is_ahead {
            Duration::ZERO
        } else {
            received.held_up
        };
        if skew.saturating_sub(held_up) > limits::FRAME_SKEW_MAX {
            return Err(Refusal::stale(is_ahead, skew));
        }
        if seq <= self.last_seq {
            return Err(Refusal::Seq);
        }
        let print = fingerprint(nonce);
        self.forget_old(received.elapsed);
        if !self.seen.insert(print) {
            return Err(Refusal::Nonce);
        }
        self.ages.push_back((received.elapsed, print));
        if self.ages.len() > limits::NONCES_MAX {
            self.forget_oldest();
        }
        self.last_seq = seq;
        Ok(ts)
    }

    fn forget_old(&mut self, elapsed: Duration) {
        while self
            .ages
            .front()
            .is_some_and(|(at, _)| elapsed.saturating_sub(*at) > limits::NONCE_MEMORY)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, print)) = self.ages.pop_front() {
            self.seen.remove(&print);
        }
    }
}

/// A nonce of any length in 16 bytes, so that a long one costs no more memory than a short one.
fn fingerprint(nonce: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(nonce.as_bytes()).into();
    let mut print = [0; 16];
    print.copy_from_slice(digest.first_chunk::<16>().unwrap_or(&[0; 16]));
    print
}
