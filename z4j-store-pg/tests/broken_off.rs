//! Callers that stop waiting in the middle: a person who closes the page drops the request, and with it what it does here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

mod team;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use team::{Team, fresh_id, soon, until};
use z4j_core::id::TaskKey;
use z4j_core::store::{CommandStore, FleetStore, IssueOutcome, TaskQueries};
use z4j_store_pg::{PgStore, PgUrl};
use z4j_testkit::postgres::{Cluster, Database};
use z4j_testkit::proxy::{FaultyProxy, ProxyFault, ProxyPlan, Way};

/// More steps than any of the operations takes.
const STEPS_MAX: usize = 200;

/// Lets `work` make so many steps and drops it; whether it was done by then.
async fn break_off(work: impl Future, steps: usize) -> bool {
    let (mut work, mut left) = (pin!(work), steps);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        work.as_mut().poll(context).map(|_| true)
    })
    .await
}

/// Breaks `work` off after each of its steps. Each time, the store's only connection must see what another store wrote, and
/// the other store what this one writes.
async fn each_step(database: &Database, work: impl AsyncFn(&PgStore, &Team)) {
    let mut config = database.config();
    config.connections = 1;
    let store = PgStore::open(config).await.unwrap();
    let other = database.store().await;
    for steps in 0..STEPS_MAX {
        let team = Team::on(&other).await;
        let link = team.link(&other, fresh_id()).await;
        let is_done = soon(break_off(work(&store, &team), steps)).await;
        let seen = soon(store.agents(team.project)).await.unwrap();
        assert_eq!(seen.len(), 1, "broken off after {steps} steps");
        // Written without a transaction of its own.
        let mut command = team.command();
        command.claim_for = Some(link);
        let issued = soon(store.issue_command(command.clone())).await.unwrap();
        assert!(matches!(issued, IssueOutcome::Issued(_)), "{issued:?}");
        let found = soon(other.command(team.project, command.id)).await;
        assert!(found.unwrap().is_some(), "broken off after {steps} steps");
        if is_done {
            assert!(steps > 0, "it was never broken off");
            return;
        }
    }
    panic!("it takes more than {STEPS_MAX} steps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_broken_off_leaves_a_connection_that_works() {
    let database = Database::fresh().await;
    each_step(&database, async |store, team| {
        let _ = store.issue_command(team.command()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_broken_off_leaves_a_connection_that_works() {
    let database = Database::fresh().await;
    each_step(&database, async |store, team| {
        let task = TaskKey::new("celery", "t1");
        let _ = store.task_tree(team.project, &task, 10).await;
    })
    .await;
}

/// Enough to connect and read several times.
const BYTES_BEFORE_THE_HOLE: u64 = 20_000;

/// A way to the server on which, after a while, no answer comes any more, and nobody is told.
async fn swallowing(cluster: &Cluster) -> FaultyProxy {
    let hole = ProxyFault::BlackHole {
        way: Way::ToClient,
        after_bytes: BYTES_BEFORE_THE_HOLE,
    };
    let upstream = ([127, 0, 0, 1], cluster.port()).into();
    FaultyProxy::start(upstream, ProxyPlan::always(hole))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_whose_answer_never_comes_is_not_waited_for_without_end() {
    let cluster = Cluster::durable().await;
    let database = cluster.database().await;
    let team = Team::on(&database.store().await).await;
    let proxy = swallowing(&cluster).await;
    let (own, proxied) = (cluster.port(), proxy.addr().port());
    let url = database.url();
    let url = url.replace(&format!(":{own}/"), &format!(":{proxied}/"));
    let mut config = database
        .config()
        .with_connection_wait(Duration::from_millis(500));
    config.listen_url = Some(config.url.clone());
    config.url = PgUrl::parse(&url).unwrap();
    config.connections = 1;
    let store = PgStore::open(config).await.unwrap();
    let patience = Duration::from_millis(800);
    let read = async || tokio::time::timeout(patience, store.agents(team.project)).await;
    // Until somebody leaves without an answer.
    soon(async { while read().await.is_ok() {} }).await;
    proxy.set_plan(ProxyPlan::transparent());
    until(async || matches!(read().await, Ok(Ok(agents)) if agents.len() == 1)).await;
}
