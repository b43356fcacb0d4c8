//! What must hold, whatever goes wrong: one invariant per file, named by its slug (`reliability.md` §3).
//!
//! Each file looks at the end of a run: at what the oracle knows was promised, and at what the store holds. What can be
//! seen broken earlier, the oracle reports the moment it happens, under the same slug.

mod ack_is_durable;
mod audited;
mod bound_to_identity;
mod brain_never_drops;
mod chain_linear;
mod command_settles;
mod conservation;
mod counted_once;
mod identity_separates;
mod identity_stable;
mod loss_declared;
mod merge_converges;
mod no_hole;
mod poison_isolated;
mod retry_same_answer;
mod stored_once;
mod storm_spread;
mod stream_no_gap;
mod unsafe_once;

use crate::sim::Picture;
use crate::sim::oracle::Facts;

/// An invariant that is checked at the end of a run.
struct Invariant {
    slug: &'static str,
    check: fn(&Picture, &Facts, &mut Broken),
}

/// Where an invariant reports what it finds broken.
#[derive(Debug, Default)]
struct Broken(Vec<String>);

impl Broken {
    fn note(&mut self, detail: impl Into<String>) {
        self.0.push(detail.into());
    }
}

macro_rules! invariants {
    ($($name:ident),+ $(,)?) => {
        /// Every invariant that is checked at the end.
        const ALL: &[Invariant] = &[
            $(Invariant { slug: stringify!($name), check: $name::check },)+
        ];
    };
}

invariants!(
    ack_is_durable,
    conservation,
    stored_once,
    identity_stable,
    identity_separates,
    merge_converges,
    counted_once,
    poison_isolated,
    loss_declared,
    no_hole,
    brain_never_drops,
    bound_to_identity,
    unsafe_once,
    command_settles,
    retry_same_answer,
    audited,
    chain_linear,
    storm_spread,
    stream_no_gap,
);

/// Slugs that the oracle and the driver report while a run goes on; some have a check at the end too.
pub const WHILE_IT_RUNS: &[&str] = &[
    "ack_is_durable",
    "stored_once",
    "bounded",
    "dead_link_found",
    "recovers",
    "replay_refused",
    "seq_monotone",
    "bound_to_identity",
    "unsafe_once",
    "command_settles",
    "fenced",
    "retry_same_answer",
    "told_truth",
];

/// The slugs of all invariants that a run of the simulator checks.
#[must_use]
pub fn slugs() -> Vec<&'static str> {
    let mut slugs: Vec<_> = ALL.iter().map(|invariant| invariant.slug).collect();
    slugs.extend(WHILE_IT_RUNS);
    slugs.sort_unstable();
    slugs.dedup();
    slugs
}

/// Checks all; slug and detail of what is broken.
pub(crate) fn check_all(picture: &Picture, facts: &Facts) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for invariant in ALL {
        let mut broken = Broken::default();
        (invariant.check)(picture, facts, &mut broken);
        all.extend(broken.0.into_iter().map(|detail| (invariant.slug, detail)));
    }
    all
}
