//! Proves the checker: each bug that is planted here must make the case fail that is there for it.
//!
//! A store with a bug forwards everything to the reference store but the method that the bug is in. The case must pass on
//! the same store without the bug, so that it fails for no other reason.

#![allow(clippy::unwrap_used, reason = "a lock that is poisoned fails the test")]

mod bugs;
mod forward;

use std::panic::{AssertUnwindSafe, catch_unwind};

use z4j_testkit::conformance::{case, run};

use bugs::{Bug, Planted};

/// Whether the case passes on a fresh store with `bug`.
macro_rules! passes {
    ($case:ident, $bug:expr) => {
        catch_unwind(AssertUnwindSafe(|| {
            let store = Planted::new($bug).into_store();
            run(case::$case(&store));
        }))
        .is_ok()
    };
}

macro_rules! planted {
    ($($(#[doc = $doc:literal])+ $test:ident: $bug:ident fails $case:ident;)+) => {$(
        $(#[doc = $doc])+
        #[test]
        fn $test() {
            assert!(passes!($case, None), "without the bug the case must pass");
            assert!(!passes!($case, Some(Bug::$bug)), "with the bug the case must fail");
        }
    )+};
}

planted! {
    /// The last batch is answered before it is written.
    ack_before_the_write_is_found: AckBeforeWrite fails event_sent_again_is_absorbed;
    /// Events of one kind within a second are taken for one.
    identity_to_the_second_is_found: IdentityToTheSecond fails events_within_a_second_are_told_apart;
    /// State counters count events instead of tasks.
    counters_of_events_are_found: CountersOfEvents fails state_counters_equal_a_recount;
    /// A claim reads in one step and writes in another one.
    claim_in_two_steps_is_found: ClaimInTwoSteps fails command_is_claimed_once_by_many_callers;
    /// An audit entry is written whether or not its effect is.
    audit_apart_from_its_effect_is_found: AuditApart fails command_without_effect_leaves_no_entry;
    /// One bad event fails its batch.
    poison_that_fails_its_batch_is_found: PoisonFailsBatch fails poison_does_not_fail_its_neighbours;
    /// The project is not part of the look-up.
    look_up_across_projects_is_found: LookUpAcrossProjects fails ids_of_another_project_find_nothing;
    /// A cursor is taken for a mere offset, whatever it was made for.
    cursor_of_any_query_is_found: CursorOfAnyQuery fails cursor_of_another_query_is_refused;
    /// A page goes on behind a time, though several rows have it.
    ties_lost_between_pages_are_found: TiesLost fails every_sort_pages_completely_in_order;
    /// Whoever asks for a lease gets it.
    lease_for_all_is_found: LeaseForAll fails lease_is_taken_by_one_of_many;
    /// A brain that was buried is back with its next beat, and never learns of it.
    beat_that_revives_is_found: BeatRevives fails buried_brain_learns_of_it;
    /// A brain that beat meanwhile is buried all the same.
    burial_of_the_living_is_found: BurialOfTheLiving fails living_brain_is_not_buried;
    /// Who lost the lease goes on with the upkeep.
    upkeep_without_fence_is_found: UpkeepWithoutFence fails stale_holder_is_refused;
}
