//! Leases and health.

use futures_util::future::join_all;
use z4j_core::id::ReplicaId;
use z4j_core::store::{
    ForgetOutcome, ForgetReplica, LeaseGrant, LeaseOutcome, LeaseRequest, Store, StoreErrorKind,
};
use z4j_core::time::Timestamp;

use super::scene::{at_s, register, seconds};

fn ask(holder: u128, now: Timestamp) -> LeaseRequest {
    LeaseRequest {
        name: "upkeep".to_owned(),
        holder: ReplicaId::from_u128(holder),
        ttl: seconds(10),
        now,
    }
}

async fn lease(store: &dyn Store, holder: u128, now: i64) -> LeaseOutcome {
    store
        .try_lease(ask(holder, at_s(now)))
        .await
        .expect("an answer")
}

pub(super) async fn lease_has_one_holder(store: &dyn Store) {
    know(store, 1..3).await;
    assert!(matches!(lease(store, 1, 0).await, LeaseOutcome::Held(_)));
    assert_eq!(
        lease(store, 2, 5).await,
        LeaseOutcome::Taken { until: at_s(10) }
    );
    assert!(
        matches!(lease(store, 1, 8).await, LeaseOutcome::Held(_)),
        "renewed"
    );
    assert_eq!(
        lease(store, 2, 17).await,
        LeaseOutcome::Taken { until: at_s(18) }
    );
    assert!(
        matches!(lease(store, 2, 18).await, LeaseOutcome::Held(_)),
        "lapsed"
    );
    assert!(matches!(
        lease(store, 1, 19).await,
        LeaseOutcome::Taken { .. }
    ));
    let other = LeaseRequest {
        name: "retention".to_owned(),
        ..ask(1, at_s(19))
    };
    assert!(matches!(
        store.try_lease(other).await.expect("an answer"),
        LeaseOutcome::Held(_)
    ));
}

pub(super) async fn fence_grows_with_each_holder(store: &dyn Store) {
    know(store, 1..3).await;
    let mut fences = Vec::new();
    for (holder, now) in [(1, 0), (1, 5), (2, 100), (1, 200), (1, 205)] {
        match lease(store, holder, now).await {
            LeaseOutcome::Held(grant) => fences.push(grant.fence),
            LeaseOutcome::Taken { until } => panic!("taken until {until}"),
        }
    }
    let [first, renewed, second, third, renewed_again] = fences.as_slice() else {
        panic!("five answers")
    };
    assert_eq!((first, third), (renewed, renewed_again));
    assert!(first < second && second < third);
}

pub(super) async fn lease_is_taken_by_one_of_many(store: &dyn Store) {
    know(store, 1..9).await;
    let outcomes = join_all((1..9).map(|holder| lease(store, holder, 0))).await;
    let held = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, LeaseOutcome::Held(_)))
        .count();
    assert_eq!(held, 1);
}

async fn know(store: &dyn Store, replicas: std::ops::Range<u128>) {
    for replica in replicas {
        register(store, replica).await;
    }
}

async fn held(store: &dyn Store, holder: u128, now: i64) -> LeaseGrant {
    match lease(store, holder, now).await {
        LeaseOutcome::Held(grant) => grant,
        LeaseOutcome::Taken { until } => panic!("taken until {until}"),
    }
}

/// What a write under the lease answers: `None` when it was let through.
async fn refusals(store: &dyn Store, grant: &LeaseGrant, now: i64) -> Vec<Option<StoreErrorKind>> {
    let swept = store.sweep_workers(grant, at_s(now), seconds(60)).await;
    let maintained = store.maintain(grant, at_s(now)).await;
    vec![
        swept.err().map(|error| error.kind()),
        maintained.err().map(|error| error.kind()),
    ]
}

pub(super) async fn stale_holder_is_refused(store: &dyn Store) {
    know(store, 1..3).await;
    let first = held(store, 1, 0).await;
    assert_eq!(refusals(store, &first, 1).await, [None, None]);
    assert_eq!(
        refusals(store, &first, 500).await,
        [None, None],
        "nobody else took it: the number decides, and no clock"
    );
    let second = held(store, 2, 20).await;
    let fenced = Some(StoreErrorKind::Fenced);
    assert_eq!(refusals(store, &first, 5).await, [fenced, fenced]);
    assert_eq!(refusals(store, &second, 21).await, [None, None]);
    let forged = LeaseGrant {
        holder: ReplicaId::from_u128(1),
        ..second
    };
    assert_eq!(refusals(store, &forged, 22).await, [fenced, fenced]);
}

async fn bury(store: &dyn Store, replica: u128, beat: u64) {
    let forget = ForgetReplica {
        replica: ReplicaId::from_u128(replica),
        beat,
        at: at_s(1),
    };
    let outcome = store.forget_replica(forget).await.expect("an answer");
    let ForgetOutcome::Forgotten(estate) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(estate.leases, ["upkeep"]);
}

pub(super) async fn lease_ends_with_its_holder(store: &dyn Store) {
    know(store, 1..3).await;
    let ahead = held(store, 1, 1_000_000).await;
    assert!(matches!(
        lease(store, 2, 1).await,
        LeaseOutcome::Taken { .. }
    ));
    bury(store, 1, 1).await;
    let fenced = Some(StoreErrorKind::Fenced);
    assert_eq!(
        refusals(store, &ahead, 2).await,
        [fenced, fenced],
        "also while nobody has it"
    );
    let next = held(store, 2, 2).await;
    assert!(next.fence > ahead.fence);
    assert_eq!(refusals(store, &ahead, 2).await, [fenced, fenced]);
}

pub(super) async fn renewal_sets_the_end_anew(store: &dyn Store) {
    know(store, 1..3).await;
    let ahead = held(store, 1, 1_000_000).await;
    let renewed = held(store, 1, 5).await;
    assert_eq!(ahead, renewed);
    assert_eq!(
        lease(store, 2, 6).await,
        LeaseOutcome::Taken { until: at_s(15) }
    );
    let _ = held(store, 2, 15).await;
}

pub(super) async fn unknown_brain_takes_no_lease(store: &dyn Store) {
    know(store, 1..2).await;
    let asked = store.try_lease(ask(2, at_s(0))).await;
    assert_eq!(
        asked.expect_err("nobody knows it").kind(),
        StoreErrorKind::Fenced
    );
    let _ = held(store, 1, 0).await;
}

pub(super) async fn healthy_store_says_so(store: &dyn Store) {
    let health = store.probe(at_s(1)).await.expect("a durable write");
    assert!(!health.backend.is_empty());
    assert!(
        store.probe(at_s(0)).await.is_ok(),
        "also when the clock went back"
    );
}
