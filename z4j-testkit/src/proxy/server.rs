//! Accepts connections and keeps count.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::ProxyPlan;
use super::connection::Connection;

/// After an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a proxy did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyCounts {
    /// Connections that were taken.
    pub connections: u64,
    /// Connections that were closed at once, because there were too many or nothing answered upstream.
    pub refused: u64,
    /// Connections that were reset by a fault or by [`FaultyProxy::cut_all`].
    pub cuts: u64,
    /// Directions that were ended early.
    pub half_closes: u64,
    /// Directions that were swallowed from some byte on.
    pub black_holes: u64,
    /// Bytes that were swallowed.
    pub swallowed_bytes: u64,
    /// Pieces that had to wait.
    pub delays: u64,
    /// Pauses that kept a direction slow.
    pub throttles: u64,
    /// Bytes passed on from clients.
    pub bytes_to_upstream: u64,
    /// Bytes passed on to clients.
    pub bytes_to_client: u64,
}

/// The numbers behind [`ProxyCounts`].
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) connections: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) cuts: AtomicU64,
    pub(super) half_closes: AtomicU64,
    pub(super) black_holes: AtomicU64,
    pub(super) swallowed_bytes: AtomicU64,
    pub(super) delays: AtomicU64,
    pub(super) throttles: AtomicU64,
    pub(super) bytes_to_upstream: AtomicU64,
    pub(super) bytes_to_client: AtomicU64,
}

pub(super) fn add(count: &AtomicU64, by: u64) {
    count.fetch_add(by, Ordering::Relaxed);
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    plan: Mutex<ProxyPlan>,
    tally: Arc<Tally>,
    /// Cancelled and replaced by [`FaultyProxy::cut_all`].
    cut: Mutex<CancellationToken>,
}

/// A proxy on a free port of the loopback address. Dropping it stops it and resets its connections.
#[derive(Debug)]
pub struct FaultyProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

impl FaultyProxy {
    /// Starts a proxy to `upstream` on the current tokio runtime.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(upstream: SocketAddr, plan: ProxyPlan) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let lifetime = plan.lifetime;
        let shared = Arc::new(Shared {
            upstream,
            plan: Mutex::new(plan),
            tally: Arc::default(),
            cut: Mutex::default(),
        });
        let server = Arc::clone(&shared);
        let serving = tokio::spawn(async move {
            // When the time is over, the listener and all connections are dropped with the future.
            let _over = tokio::time::timeout(lifetime, serve(listener, server)).await;
        });
        Ok(Self {
            addr,
            shared,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// Where clients connect to.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> ProxyCounts {
        let tally = &self.shared.tally;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ProxyCounts {
            connections: read(&tally.connections),
            refused: read(&tally.refused),
            cuts: read(&tally.cuts),
            half_closes: read(&tally.half_closes),
            black_holes: read(&tally.black_holes),
            swallowed_bytes: read(&tally.swallowed_bytes),
            delays: read(&tally.delays),
            throttles: read(&tally.throttles),
            bytes_to_upstream: read(&tally.bytes_to_upstream),
            bytes_to_client: read(&tally.bytes_to_client),
        }
    }

    /// Later connections follow this plan. Its lifetime is not taken: the first plan's counts.
    pub fn set_plan(&self, plan: ProxyPlan) {
        *lock(&self.shared.plan) = plan;
    }

    /// Resets every connection that is open now.
    pub fn cut_all(&self) {
        std::mem::take(&mut *lock(&self.shared.cut)).cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((client, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let plan = lock(&shared.plan).clone();
        if connections.len() >= plan.connections_max {
            add(&shared.tally.refused, 1);
            continue;
        }
        let fault = plan.fault_of(number);
        number += 1;
        let cut = lock(&shared.cut).clone();
        let (upstream, tally) = (shared.upstream, Arc::clone(&shared.tally));
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(upstream).await else {
                add(&tally.refused, 1);
                return;
            };
            add(&tally.connections, 1);
            Connection::new(fault, tally, cut).run(client, server).await;
        });
    }
}
