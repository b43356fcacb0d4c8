//! Every invariant earns its place: bugs that real systems have had, each found by the simulator within 200 seeds.
//!
//! Each bug sits in a seam, around the store, in the model of the agent or in the dashboard's, and never in code that ships.
//!
//! *Stream cursor by sequence number* is what decision 8 rejects: a table of changes that each brain reads on from the
//! highest number that it saw, so that a row that commits late is skipped. Here announcements go through such a table. That
//! alone is no bug, because announcements carry their sender's own count and beats carry its latest number: the gap is
//! noticed and costs a `reset`. It becomes one when the reader takes the position in the table for the count.
#![cfg(feature = "simulator")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests fail as tests do"
)]

mod live;
mod stores;

use std::sync::Arc;

use z4j_core::store::Store;
use z4j_testkit::mem::MemStore;
use z4j_testkit::sim::{AgentBug, DashboardBug, HookedStore, StoreHooks, World};

/// A bug must be found within so many seeds.
const SEEDS: u64 = 200;
/// A design that is sound although it looks like a bug must hold for so many.
const SOUND_SEEDS: u64 = 30;

/// Runs seeds until one of `slugs` is broken, and says at which.
fn is_found(name: &str, slugs: &[&str], world: impl Fn(u64) -> World) {
    for seed in 1..=SEEDS {
        let outcome = world(seed).run();
        let mut broken = outcome.violations().iter();
        if let Some(found) = broken.find(|broken| slugs.contains(&broken.invariant)) {
            println!("{name}: seed {seed}: {found}");
            return;
        }
    }
    panic!("{name} was not found within {SEEDS} seeds");
}

/// The world with `hooks` between each brain and the faults of the database: what they hold dies with the brain.
fn around<H: StoreHooks>(seed: u64, hooks: impl Fn() -> H + Send + Sync + 'static) -> World {
    World::new(seed).wrapping_store(move |store| Arc::new(HookedStore::new(store, hooks())))
}

/// The world on a store with `hooks` inside: the database itself has the bug.
fn inside<H: StoreHooks>(seed: u64, hooks: impl Fn() -> H + Send + Sync + 'static) -> World {
    World::new(seed).with_store(move || {
        let store = HookedStore::new(Arc::new(MemStore::new()), hooks());
        async move { Arc::new(store) as Arc<dyn Store> }
    })
}

#[test]
fn ack_before_commit_is_found() {
    is_found("ack before commit", &["ack_is_durable"], |seed| {
        around(seed, stores::AckBeforeCommit::default)
    });
}

#[test]
fn counters_outside_the_transaction_are_found() {
    is_found(
        "counters outside the transaction",
        &["counted_once"],
        |seed| inside(seed, stores::CountersApart::default),
    );
}

#[test]
fn second_precision_identity_is_found() {
    let slugs = ["ack_is_durable", "identity_separates", "identity_stable"];
    is_found("second-precision identity", &slugs, |seed| {
        around(seed, || stores::Renamed(stores::to_the_second))
    });
}

#[test]
fn clamping_the_identity_to_now_is_found() {
    let slugs = ["ack_is_durable", "identity_stable", "stored_once"];
    is_found("clamp to now", &slugs, |seed| {
        around(seed, || stores::Renamed(stores::clamped))
    });
}

#[test]
fn agent_id_in_the_identity_is_found() {
    let slugs = ["ack_is_durable", "identity_stable"];
    is_found("agent id in identity", &slugs, |seed| {
        around(seed, || stores::Renamed(stores::with_agent))
    });
}

#[test]
fn a_guard_that_is_forgotten_is_found() {
    let slugs = ["replay_refused", "unsafe_once"];
    is_found("guard forgotten", &slugs, |seed| {
        World::new(seed).with_agent_bug(AgentBug::GuardForgotten)
    });
}

#[test]
fn a_guard_that_is_kept_over_a_reconnect_is_found() {
    is_found("guard kept", &["recovers"], |seed| {
        World::new(seed).with_agent_bug(AgentBug::GuardKept)
    });
}

#[test]
fn eviction_that_is_not_declared_is_found() {
    is_found("eviction not declared", &["loss_declared"], |seed| {
        World::new(seed).with_agent_bug(AgentBug::EvictionNotDeclared)
    });
}

#[test]
fn resuming_at_sent_instead_of_acknowledged_is_found() {
    is_found("resume at sent", &["conservation"], |seed| {
        World::new(seed).with_agent_bug(AgentBug::ResumeAtSent)
    });
}

#[test]
fn an_ack_for_the_wrong_batch_is_found() {
    is_found(
        "ack taken for the oldest batch",
        &["conservation"],
        |seed| World::new(seed).with_agent_bug(AgentBug::AckTakenForOldest),
    );
}

#[test]
fn back_off_without_chance_is_found() {
    is_found("no back-off jitter", &["storm_spread"], |seed| {
        World::new(seed).without_jitter()
    });
}

#[test]
fn a_lease_without_fencing_is_found() {
    is_found("lease without fencing", &["fenced"], |seed| {
        inside(seed, || stores::LeaseUnfenced)
    });
}

#[test]
fn an_audit_entry_outside_the_transaction_is_found() {
    is_found("audit outside the transaction", &["audited"], |seed| {
        inside(seed, stores::AuditApart::default)
    });
}

#[test]
fn a_stream_cursor_by_sequence_number_is_found() {
    is_found(
        "stream cursor by sequence number",
        &["stream_no_gap"],
        |seed| inside(seed, || live::Tailed::new(live::Count::Position)),
    );
}

#[test]
fn what_a_cursor_by_sequence_number_skips_is_noticed_by_the_count_of_its_sender() {
    for seed in 1..=SOUND_SEEDS {
        inside(seed, || live::Tailed::new(live::Count::Sender))
            .run()
            .assert_sound();
    }
}

#[test]
fn a_change_of_a_commit_that_is_not_told_is_found() {
    is_found("change not told", &["stream_no_gap"], |seed| {
        around(seed, live::ChangeUntold::default)
    });
}

#[test]
fn a_stream_that_resumes_one_change_too_late_is_found() {
    is_found("resumed one late", &["stream_no_gap"], |seed| {
        World::new(seed).with_dashboard_bug(DashboardBug::ResumedOneLate)
    });
}

#[test]
fn a_dashboard_that_forgets_where_it_was_is_found() {
    is_found("last id forgotten", &["stream_no_gap"], |seed| {
        World::new(seed).with_dashboard_bug(DashboardBug::IdForgotten)
    });
}

#[test]
fn a_dashboard_that_ignores_a_reset_is_found() {
    is_found("reset ignored", &["stream_no_gap"], |seed| {
        World::new(seed).with_dashboard_bug(DashboardBug::ResetIgnored)
    });
}
