//! The other brains on the same store: who lives, what they committed, which workers they speak for.
//!
//! Everything here is latency, never correctness: a brain that hears nothing of the others finds commands, lost rights and
//! dead brains by polls, and knows from their beats what it did not hear, so that nobody who follows it misses a change in
//! silence (decision 8).

mod announcer;
mod elsewhere;
mod listener;
mod membership;
mod watch;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use z4j_core::env::Env;
use z4j_core::id::ReplicaId;
use z4j_core::store::ReplicaRow;
use z4j_core::time::Timestamp;

pub(crate) use elsewhere::Elsewhere;
pub(crate) use membership::{leave, register};
use watch::{Look, Moment, Watch};

/// This brain among those that share the store.
#[derive(Debug)]
pub(crate) struct Replicas {
    state: Mutex<State>,
    /// Asks for a beat now: the store has refused something as if this brain were dead.
    doubt: Notify,
    /// Workers that links of other brains speak for.
    pub(crate) elsewhere: Elsewhere,
}

#[derive(Debug)]
struct State {
    own: ReplicaId,
    /// The number of the latest announcement.
    announced: u64,
    watch: Watch,
}

impl Replicas {
    /// A brain that is known to nobody yet.
    pub(crate) fn new(own: ReplicaId) -> Self {
        Self {
            state: Mutex::new(State {
                own,
                announced: 0,
                watch: Watch::default(),
            }),
            doubt: Notify::new(),
            elsewhere: Elsewhere::default(),
        }
    }

    /// The name under which this brain is known now.
    pub(crate) fn own(&self) -> ReplicaId {
        self.lock().own
    }

    /// How many others there are.
    pub(crate) fn others(&self) -> usize {
        self.lock().watch.len()
    }

    /// The clock that all brains go by where they judge the same deadlines: this brain's own, unless it is far from that
    /// of most.
    pub(crate) fn now(&self, env: &Env) -> Timestamp {
        let lead_us = self.lock().watch.lead_us();
        Timestamp::from_micros(env.now().as_micros().saturating_add(lead_us))
    }

    /// The store has refused something because it does not know this brain.
    pub(crate) fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// What operators should know of the brains together.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.lock().watch.warnings()
    }

    fn look(&self, rows: &[ReplicaRow], moment: &Moment) -> Look {
        let mut state = self.lock();
        let (own, announced) = (state.own, state.announced);
        state.watch.look(own, announced, rows, moment)
    }

    /// The sender and the number of the next announcement.
    fn next_announcement(&self) -> (ReplicaId, u64) {
        let mut state = self.lock();
        state.announced += 1;
        (state.own, state.announced)
    }

    /// Goes on under another name, of which nobody knows anything.
    fn rename(&self, own: ReplicaId) {
        let mut state = self.lock();
        *state = State {
            own,
            announced: 0,
            watch: Watch::default(),
        };
    }

    async fn doubted(&self) {
        self.doubt.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the parts that know of other brains.
pub(crate) async fn run(
    shared: &crate::shared::Shared,
    halt: &tokio_util::sync::CancellationToken,
) {
    tokio::join!(
        membership::run(shared, halt),
        announcer::run(shared, halt),
        listener::run(shared, halt),
        elsewhere::run(shared, halt),
    );
}

/// Doubles a wait up to a bound.
fn longer(wait: Duration, max: Duration) -> Duration {
    wait.saturating_mul(2).min(max)
}
