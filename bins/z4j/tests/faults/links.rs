//! The way between agents and a brain breaks, at bytes that a seed chooses.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use z4j_testkit::proxy::{FaultKind, FaultyProxy, ProxyCounts, ProxyPlan};

use crate::fleet;
use crate::world::{World, fault_time};

/// A proxy in front of what listens on `port` of this machine.
pub(crate) async fn in_front_of(port: u16, plan: ProxyPlan) -> FaultyProxy {
    let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    FaultyProxy::start(upstream, plan).await.unwrap()
}

/// Connections that are slow, or of which one end is told nothing, are cut after so long, so that others take their place.
const CUT_EVERY: Duration = Duration::from_secs(2);
/// Between two looks at what was met.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Lets a fleet work through a proxy with this plan, for as long as faults are wanted and until enough were met; then heals the way
/// and looks at what is stored.
async fn work_through(
    plan: ProxyPlan,
    cut_every: Option<Duration>,
    is_enough: impl Fn(&ProxyCounts) -> bool,
) -> ProxyCounts {
    let time = fault_time(Duration::from_secs(8));
    let mut world = World::new(1).await;
    let brain = world.start(0);
    let proxy = in_front_of(brain.port, plan).await;
    world.doors = vec![proxy.addr().port()];
    let tasks = 50 + usize::try_from(time.as_secs()).unwrap() * 40;
    let fleet = world.fleet(4, tasks);
    let began = Instant::now();
    let mut cut_at = began;
    while !fleet.is_done() && (began.elapsed() < time || !is_enough(&proxy.counts())) {
        tokio::time::sleep(LOOK_EVERY).await;
        if cut_every.is_some_and(|every| cut_at.elapsed() >= every) {
            proxy.cut_all();
            cut_at = Instant::now();
        }
    }
    let (counts, acked) = (proxy.counts(), fleet.acked());
    proxy.set_plan(ProxyPlan::transparent());
    proxy.cut_all();
    let expected = fleet.finish().await;
    println!("{acked} frames were acknowledged under faults: {counts:?}");
    assert!(acked > 0, "faults leave room for work: {counts:?}");
    brain.kill();
    fleet::check(&world.database.store().await, &expected).await;
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_is_stored_once_although_links_are_cut_at_any_byte() {
    let plan = ProxyPlan::seeded(20)
        .with_only(&[FaultKind::Cut])
        // Twice what an agent sends before it waits for an ack: a cut takes the acks that are under way with it.
        .with_mean_bytes(384 << 10);
    let is_enough = |counts: &ProxyCounts| counts.cuts > 20;
    let counts = work_through(plan, None, is_enough).await;
    // How many bytes a fleet takes depends on how often it has to send them again.
    assert!(counts.cuts > 8, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_are_slow_half_closed_or_swallowed_lose_nothing_either() {
    let plan = ProxyPlan::seeded(7)
        .with_mean_bytes(64 << 10)
        .with_mean_time(Duration::from_secs(1));
    let is_every_kind = |counts: &ProxyCounts| {
        let met = [
            counts.cuts,
            counts.half_closes,
            counts.black_holes,
            counts.delays + counts.throttles,
        ];
        met.iter().all(|count| *count > 0)
    };
    let counts = work_through(plan, Some(CUT_EVERY), is_every_kind).await;
    assert!(is_every_kind(&counts), "{counts:?}");
}
