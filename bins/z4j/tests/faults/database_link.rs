//! The way between a brain and its database breaks.

use std::time::Duration;

use z4j_testkit::proxy::{FaultKind, FaultyProxy, ProxyFault, ProxyPlan};

use crate::database::ready;
use crate::fleet;
use crate::links::in_front_of;
use crate::world::World;

/// A world whose brains reach the database through a proxy.
async fn behind_a_proxy() -> (World, FaultyProxy) {
    let mut world = World::new(1).await;
    let port = world.cluster.port();
    let proxy = in_front_of(port, ProxyPlan::transparent()).await;
    let (own, proxied) = (format!(":{port}/"), format!(":{}/", proxy.addr().port()));
    world.database_url = world.database.url().replace(&own, &proxied);
    assert_ne!(world.database_url, world.database.url());
    (world, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brain_whose_database_connections_are_cut_at_any_byte_loses_nothing() {
    let (world, proxy) = behind_a_proxy().await;
    let brain = world.start(0);
    let fleet = world.fleet(4, 400);
    fleet.reach(1, 8).await;
    // A batch holds what all agents send before they wait for acks, and must get through at times.
    let cuts = ProxyPlan::seeded(3)
        .with_only(&[FaultKind::Cut])
        .with_mean_bytes(1 << 20);
    proxy.set_plan(cuts);
    proxy.cut_all();
    fleet.reach(5, 8).await;
    while proxy.counts().cuts <= 12 && !fleet.is_done() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let counts = proxy.counts();
    assert!(counts.cuts > 6, "{counts:?}");
    let each = Duration::from_millis(10);
    proxy.set_plan(ProxyPlan::always(ProxyFault::Delay { each }));
    proxy.cut_all();
    fleet.reach(6, 8).await;
    proxy.set_plan(ProxyPlan::transparent());
    proxy.cut_all();
    let expected = fleet.finish().await;
    ready(brain.port, 200).await;
    println!("{:?}", proxy.counts());
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_reached_for_a_while_is_found_again() {
    let (world, proxy) = behind_a_proxy().await;
    let brain = world.start(0);
    let fleet = world.fleet(2, 200);
    fleet.reach(1, 4).await;
    // Every connection ends before the server's greeting is complete.
    proxy.set_plan(ProxyPlan::always(ProxyFault::Cut { after_bytes: 20 }));
    proxy.cut_all();
    let _acked = fleet.stand_still().await;
    ready(brain.port, 503).await;
    proxy.set_plan(ProxyPlan::transparent());
    let expected = fleet.finish().await;
    ready(brain.port, 200).await;
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
}
