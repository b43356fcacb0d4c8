//! The proxy does to real sockets what its plan says, and counts it.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets are measured by a real clock"
)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper of a test cannot do fails the test"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use z4j_testkit::proxy::{FaultKind, FaultyProxy, ProxyCounts, ProxyFault, ProxyPlan, Way};

const DEADLINE: Duration = Duration::from_secs(20);

/// A proxy, and both ends of one connection through it.
async fn connected(plan: ProxyPlan) -> (FaultyProxy, TcpStream, TcpStream) {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultyProxy::start(upstream.local_addr().unwrap(), plan)
        .await
        .unwrap();
    let (client, server) = connect(&proxy, &upstream).await;
    (proxy, client, server)
}

async fn connect(proxy: &FaultyProxy, upstream: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(proxy.addr()).await.unwrap();
    let (server, _) = within(upstream.accept()).await.unwrap();
    (client, server)
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work)
        .await
        .expect("in twenty seconds")
}

/// What arrives until the stream ends, and whether it ended in order.
async fn read_all(stream: &mut TcpStream) -> (usize, bool) {
    let (mut total, mut buffer) = (0, vec![0; 64 << 10]);
    loop {
        match within(stream.read(&mut buffer)).await {
            Ok(0) => return (total, true),
            Ok(read) => total += read,
            Err(_) => return (total, false),
        }
    }
}

/// Waits until the proxy has counted what is looked for.
async fn counted(
    proxy: &FaultyProxy,
    is_so: impl Fn(ProxyCounts) -> bool + Send + Sync,
) -> ProxyCounts {
    within(async {
        while !is_so(proxy.counts()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.counts()
    })
    .await
}

#[tokio::test]
async fn without_a_fault_everything_passes_both_ways_and_ends_in_order() {
    let (proxy, mut client, mut server) = connected(ProxyPlan::transparent()).await;
    let sent = vec![7; 300_000];
    let writing = async {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let (got, ()) = tokio::join!(read_all(&mut server), writing);
    assert_eq!(got, (sent.len(), true));
    // The client has ended its own direction; the other one goes on.
    server.write_all(b"bye").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(read_all(&mut client).await, (3, true));
    let counts = proxy.counts();
    assert_eq!(
        (counts.bytes_to_upstream, counts.bytes_to_client),
        (300_000, 3)
    );
    assert_eq!((counts.connections, counts.cuts), (1, 0));
}

#[tokio::test]
async fn a_cut_resets_both_ends_after_the_byte() {
    let fault = ProxyFault::Cut { after_bytes: 1_000 };
    let (proxy, mut client, mut server) = connected(ProxyPlan::always(fault)).await;
    client.write_all(&[1; 400]).await.unwrap();
    let mut first = [0; 400];
    within(server.read_exact(&mut first)).await.unwrap();
    server.write_all(&[2; 5_000]).await.unwrap();
    let (to_client, in_order) = read_all(&mut client).await;
    assert!(to_client <= 600 && !in_order, "{to_client} {in_order}");
    assert!(!read_all(&mut server).await.1);
    let counts = counted(&proxy, |counts| counts.cuts == 1).await;
    assert_eq!(counts.bytes_to_upstream + counts.bytes_to_client, 1_000);
}

#[tokio::test]
async fn a_connection_can_be_cut_by_time_and_by_hand() {
    let after = Duration::from_millis(30);
    let fault = ProxyFault::CutLater { after };
    let begun = Instant::now();
    let (proxy, mut client, _server) = connected(ProxyPlan::always(fault)).await;
    assert!(!read_all(&mut client).await.1);
    assert!(begun.elapsed() >= after);
    assert_eq!(
        counted(&proxy, |counts| counts.cuts == 1).await.connections,
        1
    );

    let (proxy, mut client, mut server) = connected(ProxyPlan::transparent()).await;
    proxy.cut_all();
    assert!(!read_all(&mut client).await.1);
    assert!(!read_all(&mut server).await.1);
    assert_eq!(
        counted(&proxy, |counts| counts.cuts == 1).await.connections,
        1
    );
}

#[tokio::test]
async fn a_half_close_ends_one_direction_and_not_the_other() {
    let fault = ProxyFault::HalfClose {
        way: Way::ToClient,
        after_bytes: 100,
    };
    let (proxy, mut client, mut server) = connected(ProxyPlan::always(fault)).await;
    server.write_all(&[1; 500]).await.unwrap();
    assert_eq!(read_all(&mut client).await, (100, true));
    client.write_all(&[2; 700]).await.unwrap();
    let mut got = [0; 700];
    within(server.read_exact(&mut got)).await.unwrap();
    assert_eq!(proxy.counts().half_closes, 1);
}

#[tokio::test]
async fn a_black_hole_swallows_one_direction_and_tells_nobody() {
    let fault = ProxyFault::BlackHole {
        way: Way::ToUpstream,
        after_bytes: 100,
    };
    let (proxy, mut client, mut server) = connected(ProxyPlan::always(fault)).await;
    client.write_all(&[1; 50_000]).await.unwrap();
    let mut got = [0; 100];
    within(server.read_exact(&mut got)).await.unwrap();
    server.write_all(&[2; 10]).await.unwrap();
    let mut answer = [0; 10];
    within(client.read_exact(&mut answer)).await.unwrap();
    // Even the end of what is swallowed does not pass.
    client.shutdown().await.unwrap();
    counted(&proxy, |counts| counts.swallowed_bytes == 49_900).await;
    server.write_all(&[3; 10]).await.unwrap();
    within(client.read_exact(&mut answer)).await.unwrap();
    let mut one = [0];
    let nothing = tokio::time::timeout(Duration::from_millis(50), server.read(&mut one)).await;
    assert!(nothing.is_err(), "{nothing:?}");
    assert_eq!(proxy.counts().black_holes, 1);
}

#[tokio::test]
async fn a_delay_holds_every_piece_up_in_both_directions() {
    let each = Duration::from_millis(40);
    let (proxy, mut client, mut server) =
        connected(ProxyPlan::always(ProxyFault::Delay { each })).await;
    let begun = Instant::now();
    client.write_all(b"x").await.unwrap();
    let mut one = [0];
    within(server.read_exact(&mut one)).await.unwrap();
    server.write_all(b"y").await.unwrap();
    within(client.read_exact(&mut one)).await.unwrap();
    assert!(begun.elapsed() >= each * 2);
    assert_eq!(proxy.counts().delays, 2);
}

#[tokio::test]
async fn a_throttle_lets_no_more_through_than_its_rate() {
    let fault = ProxyFault::Throttle {
        bytes_per_second: 200_000,
    };
    let (proxy, mut client, mut server) = connected(ProxyPlan::always(fault)).await;
    let begun = Instant::now();
    let writing = async {
        client.write_all(&[1; 60_000]).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let (got, ()) = tokio::join!(read_all(&mut server), writing);
    assert_eq!(got, (60_000, true));
    assert!(begun.elapsed() >= Duration::from_millis(290));
    assert!(proxy.counts().throttles >= 4);
}

#[tokio::test]
async fn a_slow_upstream_holds_the_client_back_instead_of_filling_memory() {
    let (proxy, mut client, server) = connected(ProxyPlan::transparent()).await;
    let piece = vec![1; 1 << 20];
    let flood = async {
        for _ in 0..256 {
            client.write_all(&piece).await.unwrap();
        }
    };
    // Only the kernel's buffers fill, which are far smaller.
    assert!(
        tokio::time::timeout(Duration::from_millis(400), flood)
            .await
            .is_err()
    );
    assert!(proxy.counts().bytes_to_upstream < 64 << 20);
    drop(server);
}

#[tokio::test]
async fn connections_above_the_limit_and_without_an_upstream_are_closed() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = upstream.local_addr().unwrap();
    let plan = ProxyPlan::transparent().with_connections_max(1);
    let proxy = FaultyProxy::start(address, plan).await.unwrap();
    let _first = connect(&proxy, &upstream).await;
    let mut second = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(read_all(&mut second).await.0, 0);
    assert_eq!(proxy.counts().refused, 1);

    drop(upstream);
    let proxy = FaultyProxy::start(address, ProxyPlan::transparent())
        .await
        .unwrap();
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    assert_eq!(read_all(&mut client).await.0, 0);
    assert_eq!(
        counted(&proxy, |counts| counts.refused == 1)
            .await
            .connections,
        0
    );
}

async fn until_nobody_listens(address: SocketAddr) {
    within(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn it_stops_when_it_is_dropped_and_when_its_time_is_over() {
    let (proxy, mut client, _server) = connected(ProxyPlan::transparent()).await;
    let address = proxy.addr();
    drop(proxy);
    until_nobody_listens(address).await;
    assert_eq!(read_all(&mut client).await.0, 0);

    let plan = ProxyPlan::transparent().with_lifetime(Duration::from_millis(50));
    let (proxy, mut client, _server) = connected(plan).await;
    assert_eq!(read_all(&mut client).await.0, 0);
    until_nobody_listens(proxy.addr()).await;
}

#[test]
fn a_seed_gives_the_nth_connection_the_same_fault_every_time_and_every_kind_comes() {
    let faults = |seed| -> Vec<_> {
        let plan = ProxyPlan::seeded(seed);
        (0..200)
            .map(|number| plan.fault_of(number).unwrap())
            .collect()
    };
    assert_eq!(faults(7), faults(7));
    assert_ne!(faults(7), faults(8));
    let came = |is: fn(&ProxyFault) -> bool| faults(7).iter().any(is);
    assert!(came(|fault| matches!(fault, ProxyFault::Cut { .. })));
    assert!(came(|fault| matches!(fault, ProxyFault::CutLater { .. })));
    assert!(came(|fault| matches!(
        fault,
        ProxyFault::HalfClose {
            way: Way::ToClient,
            ..
        }
    )));
    assert!(came(|fault| matches!(
        fault,
        ProxyFault::HalfClose {
            way: Way::ToUpstream,
            ..
        }
    )));
    assert!(came(|fault| matches!(
        fault,
        ProxyFault::BlackHole {
            way: Way::ToClient,
            ..
        }
    )));
    assert!(came(|fault| matches!(
        fault,
        ProxyFault::BlackHole {
            way: Way::ToUpstream,
            ..
        }
    )));
    assert!(came(|fault| matches!(fault, ProxyFault::Delay { .. })));
    assert!(came(|fault| matches!(fault, ProxyFault::Throttle { .. })));
    let only = ProxyPlan::seeded(7).with_only(&[FaultKind::Cut]);
    assert!((0..50).all(|number| matches!(only.fault_of(number), Some(ProxyFault::Cut { .. }))));
    assert_eq!(ProxyPlan::transparent().fault_of(0), None);
}

#[cfg(all(feature = "sim", feature = "tcp"))]
mod with_a_brain {
    use std::sync::Arc;

    use secrecy::ExposeSecret;
    use z4j_agent::transport::WsTransport;
    use z4j_agent::{Agent, Credential};
    use z4j_core::env::Env;
    use z4j_core::store::Store;
    use z4j_testkit::fixture::TestBrain;
    use z4j_testkit::glue::{Checks, Ledger, ScriptedEngine, Tap, TaskScript};
    use z4j_testkit::mem::MemStore;

    use super::*;

    const FAULTS: u64 = 5;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_agent_whose_connections_are_cut_at_random_bytes_delivers_everything_once() {
        let store: Arc<dyn Store> = Arc::new(MemStore::new());
        let brain = TestBrain::start(Arc::clone(&store)).await.unwrap();
        let minted = brain.mint("cut").await.unwrap();
        let upstream = brain
            .url()
            .strip_prefix("http://")
            .unwrap()
            .parse()
            .unwrap();
        let plan = ProxyPlan::seeded(11)
            .with_only(&[FaultKind::Cut, FaultKind::HalfClose])
            .with_mean_bytes(5 << 10);
        let proxy = FaultyProxy::start(upstream, plan).await.unwrap();
        let env = Env::system();
        let ledger = Ledger::new(env.clone(), brain.project());
        let engine = ScriptedEngine::new("cut", minted.agent_id, ledger.clone());
        let ws = Arc::new(WsTransport::new(false));
        let tap = Tap::new(ws, "cut", ledger.clone(), Arc::clone(&store));
        let url = format!("http://{}", proxy.addr());
        let credential = Credential::new(
            minted.token.expose_secret(),
            "default",
            minted.hmac_secret.expose_secret(),
        );
        let agent = Agent::builder(url, credential)
            .with_engine(engine.clone())
            .with_transport(tap)
            .build()
            .unwrap()
            .spawn();
        let mut script = TaskScript::new(11, "cut");
        let met = || {
            let counts = proxy.counts();
            counts.cuts + counts.half_closes
        };
        tokio::time::timeout(Duration::from_secs(60), async {
            // As long as it takes: which bytes a fault meets is not the same every time.
            while met() < FAULTS {
                engine.record(script.next(env.now()));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            proxy.set_plan(ProxyPlan::transparent());
            proxy.cut_all();
            while ledger.unacked("cut") > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("everything is delivered within a minute");
        let checks = Checks::new(store, ledger.clone());
        checks.run(env.now(), |_| true).await.unwrap();
        assert_eq!(ledger.violations(), Vec::<String>::new());
        let tally = ledger.tally();
        assert!(tally.ends + tally.failed_dials >= FAULTS, "{tally:?}");
        drop(agent);
        brain.stop().await.unwrap();
    }
}
