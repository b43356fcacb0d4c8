//! Leases and health.

use futures_util::future::join_all;
use z4j_core::id::ReplicaId;
use z4j_core::store::{LeaseOutcome, LeaseRequest, Store};
use z4j_core::time::Timestamp;

use super::scene::{at_s, seconds};

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
    assert!(matches!(
        lease(store, 1, 0).await,
        LeaseOutcome::Held { .. }
    ));
    assert_eq!(
        lease(store, 2, 5).await,
        LeaseOutcome::Taken { until: at_s(10) }
    );
    assert!(
        matches!(lease(store, 1, 8).await, LeaseOutcome::Held { .. }),
        "renewed"
    );
    assert_eq!(
        lease(store, 2, 17).await,
        LeaseOutcome::Taken { until: at_s(18) }
    );
    assert!(
        matches!(lease(store, 2, 18).await, LeaseOutcome::Held { .. }),
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
        LeaseOutcome::Held { .. }
    ));
}

pub(super) async fn fence_grows_with_each_holder(store: &dyn Store) {
    let mut fences = Vec::new();
    for (holder, now) in [(1, 0), (1, 5), (2, 100), (1, 200), (1, 205)] {
        match lease(store, holder, now).await {
            LeaseOutcome::Held { fence } => fences.push(fence),
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
    let outcomes = join_all((1..9).map(|holder| lease(store, holder, 0))).await;
    let held = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, LeaseOutcome::Held { .. }))
        .count();
    assert_eq!(held, 1);
}

pub(super) async fn healthy_store_says_so(store: &dyn Store) {
    let health = store.probe(at_s(1)).await.expect("a durable write");
    assert!(!health.backend.is_empty());
    assert!(
        store.probe(at_s(0)).await.is_ok(),
        "also when the clock went back"
    );
}
