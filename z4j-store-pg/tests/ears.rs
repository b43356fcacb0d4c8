//! Connections for notifications that stand and hear nothing, and what the store says of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

mod team;

use std::net::{Ipv4Addr, SocketAddr};

use futures_util::StreamExt;
use team::{at_s, until};
use z4j_core::id::ReplicaId;
use z4j_core::store::{Announcement, Coordination, Heard, News};
use z4j_store_pg::{PgStore, PgUrl};
use z4j_testkit::postgres::{Bouncer, Cluster, Database};
use z4j_testkit::proxy::{FaultyProxy, ProxyFault, ProxyPlan, Way};

/// More than a login and LISTEN are answered with (420 bytes by PostgreSQL 15, 480 by 18), and less than three checks more of 69
/// bytes each.
const LOGIN_BYTES: u64 = 520;

async fn says_that_it_is_deaf(store: &PgStore) -> bool {
    let health = store.probe(at_s(1)).await.unwrap();
    let is_said = |warning: &String| warning.contains("notifications from the database");
    health.warnings.iter().any(is_said)
}

/// The database as seen through `proxy`, for notifications only.
fn listening_through(proxy: &FaultyProxy, database: &Database) -> z4j_store_pg::PgConfig {
    let through = format!(
        "postgres://z4j@{}/{}?sslmode=disable",
        proxy.addr(),
        database.name()
    );
    let through = PgUrl::parse(&through).unwrap();
    database.config().with_listen_url(through)
}

async fn hears(store: &PgStore) -> bool {
    let mut heard = store.announcements();
    let said = Announcement {
        from: ReplicaId::from_u128(1),
        number: 1,
        news: vec![News::Everything],
    };
    store.announce(said.clone()).await.unwrap();
    let second = std::time::Duration::from_secs(1);
    let heard_it = async {
        while let Some(heard) = heard.next().await {
            if heard == Heard::Announced(said.clone()) {
                return true;
            }
        }
        false
    };
    tokio::time::timeout(second, heard_it).await == Ok(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_answers_nothing_any_more_is_noticed_and_replaced() {
    let cluster = Cluster::durable().await;
    let database = cluster.database().await;
    let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, cluster.port()));
    let silent = ProxyPlan::always(ProxyFault::BlackHole {
        way: Way::ToClient,
        after_bytes: LOGIN_BYTES,
    });
    let proxy = FaultyProxy::start(upstream, silent).await.unwrap();
    let store = PgStore::open(listening_through(&proxy, &database))
        .await
        .unwrap();
    until(async || proxy.counts().black_holes > 0).await;
    until(async || says_that_it_is_deaf(&store).await).await;
    proxy.set_plan(ProxyPlan::transparent());
    until(async || !says_that_it_is_deaf(&store).await && hears(&store).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_through_pgbouncer_is_noticed_because_it_passes_nothing_on() {
    let database = Database::fresh().await;
    let bouncer = Bouncer::start(&database, 4).await;
    let config = database
        .config()
        .with_listen_url(PgUrl::parse(bouncer.url()).unwrap());
    let store = PgStore::open(config).await.unwrap();
    // At first it may seem to hear: the check takes its time.
    until(async || says_that_it_is_deaf(&store).await).await;
    assert!(!hears(&store).await, "nothing comes through");
}
