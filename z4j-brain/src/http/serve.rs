//! The brain's own accept loop (`reliability.md` S-45).
//!
//! A bare server waits for ever for a peer that connects and says nothing. This one gives each connection a permit, a
//! deadline for its first byte and one for its headers, and small buffers: an idle socket costs about ten KiB.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use z4j_core::limits::CONNECTIONS_MAX;

use super::assemble;
use super::frame::HEADERS_MAX;
use super::peer::Peer;
use super::slots::Slots;
use super::spare::{Spare, is_shortage};
use super::state::Web;
use crate::Brain;

/// Connections of one address that have not proved who they are. Loopback is exempt: behind a proxy on the same machine
/// everybody comes from there, and who can connect there can do worse than hold sockets.
const UNPROVEN_PER_ADDRESS_MAX: usize = 64;
const FIRST_BYTE_WAIT: Duration = Duration::from_secs(5);
/// For a request's headers; between two requests of one connection the same clock runs.
const HEADERS_WAIT: Duration = Duration::from_secs(10);
/// Room for a request's head and what a body is read into; it grows to this and is not there while a socket sleeps.
const BUFFER_BYTES: usize = 64 << 10;
/// After an accept failed for a reason that is not known to pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long requests may take to end when the brain stops: less than ten seconds, so that there is time for the store's goodbye.
const DRAIN_WAIT: Duration = Duration::from_secs(9);

/// Runs a brain and serves it on a listener until `stop` is cancelled. Then it takes no connection, lets requests end while
/// the brain closes its links, and returns after ten seconds at the latest.
///
/// Whoever serves [`Brain::router`] from a server of their own calls [`Brain::run`] beside it instead.
///
/// # Errors
/// When the listener is not one.
pub async fn serve(listener: TcpListener, brain: Brain, stop: CancellationToken) -> io::Result<()> {
    listener.local_addr()?;
    let mut spare = Spare::of(&listener);
    let shared = Arc::clone(brain.shared());
    let web = Web::new(Arc::clone(&shared), stop.clone());
    let mut working = tokio::spawn(brain.run(stop.clone()));
    let server = Arc::new(Server {
        router: assemble(&web),
        permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        unproven: Arc::new(Slots::new(UNPROVEN_PER_ADDRESS_MAX)),
        connections: TaskTracker::new(),
        stop,
    });
    let ended = loop {
        let accepted = tokio::select! {
            biased;
            () = server.stop.cancelled() => break None,
            ended = &mut working => break Some(ended),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => server.admit(stream, address),
            Err(fault) if is_shortage(&fault) => {
                spare.turn_away(&listener, shared.env.elapsed()).await;
            }
            Err(fault) => {
                tracing::warn!(error = %fault, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    };
    let end = Instant::now() + DRAIN_WAIT;
    drop(listener);
    server.stop.cancel();
    server.connections.close();
    let worked = match ended {
        Some(ended) => ended,
        None => working.await,
    };
    let drained = async {
        server.connections.wait().await;
        web.writes.done().await;
    };
    if timeout_at(end, drained).await.is_err() {
        tracing::warn!(
            open = server.connections.len(),
            "connections were cut after nine seconds"
        );
    }
    worked.map_err(io::Error::other)?.map_err(io::Error::other)
}

struct Server {
    router: Router,
    permits: Arc<Semaphore>,
    unproven: Arc<Slots<IpAddr>>,
    connections: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    /// Takes a connection, or closes it when there are too many.
    fn admit(self: &Arc<Self>, stream: TcpStream, address: SocketAddr) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return;
        };
        let from = address.ip().to_canonical();
        let unproven = if from.is_loopback() {
            None
        } else {
            match self.unproven.take(from) {
                Some(slot) => Some(slot),
                None => return,
            }
        };
        let peer = Peer::new(address, unproven);
        let server = Arc::clone(self);
        self.connections
            .spawn(async move { server.talk(stream, permit, peer).await });
    }

    async fn talk(&self, stream: TcpStream, permit: OwnedSemaphorePermit, peer: Peer) {
        if let Err(fault) = stream.set_nodelay(true) {
            tracing::debug!(error = %fault, "a connection kept its delay");
        }
        let mut first = [0];
        let first_byte = timeout(FIRST_BYTE_WAIT, stream.peek(&mut first));
        let spoke = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            spoke = first_byte => matches!(spoke, Ok(Ok(1..))),
        };
        if !spoke {
            return;
        }
        let service = self
            .router
            .clone()
            .map_request(move |mut request: Request<_>| {
                request.extensions_mut().insert(peer.clone());
                request
            });
        let mut builder = Builder::new(TokioExecutor::new()).http1_only();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WAIT)
            .max_headers(HEADERS_MAX + 28)
            .max_buf_size(BUFFER_BYTES)
            .half_close(false);
        let socket = TokioIo::new(Counted {
            stream,
            _permit: permit,
        });
        let connection =
            builder.serve_connection_with_upgrades(socket, TowerToHyperService::new(service));
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(fault) = ended {
            tracing::debug!(error = %fault, "a connection ended early");
        }
    }
}

/// A connection that holds its permit, also after it became an agent's socket.
struct Counted {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
