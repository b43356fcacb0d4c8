//! Simulated streams for both ends.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::serve::Listener;
use turmoil::net::{TcpListener, TcpStream};
use z4j_agent::transport::{ByteStream, Dialler};

/// The port that every simulated brain listens on.
const PORT: u16 = 7700;
/// After an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts simulated connections for `axum::serve`.
pub struct TurmoilListener {
    inner: TcpListener,
}

impl TurmoilListener {
    /// Listens on the host that this is called on.
    ///
    /// # Errors
    /// When something listens there already.
    pub async fn bind() -> io::Result<Self> {
        let address = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT);
        Ok(Self {
            inner: TcpListener::bind(address).await?,
        })
    }
}

impl std::fmt::Debug for TurmoilListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurmoilListener").finish_non_exhaustive()
    }
}

impl Listener for TurmoilListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.inner.accept().await {
                Ok(accepted) => return accepted,
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// Opens simulated connections to one of several brains, whatever host the URL names. A brain that cannot be reached
/// makes the next dial go to the one after it.
#[derive(Clone, Debug)]
pub struct TurmoilDialler {
    brains: Arc<[String]>,
    next: Arc<AtomicUsize>,
    used: Arc<AtomicUsize>,
}

impl TurmoilDialler {
    /// Dials these hosts, the one at `first` first.
    #[must_use]
    pub fn new(brains: Arc<[String]>, first: usize) -> Self {
        Self {
            brains,
            next: Arc::new(AtomicUsize::new(first)),
            used: Arc::new(AtomicUsize::new(first)),
        }
    }

    /// Sends later dials to another brain.
    pub fn move_on(&self) {
        self.next.fetch_add(1, Ordering::Relaxed);
    }

    /// The host that was reached last.
    #[must_use]
    pub fn reached(&self) -> Option<&str> {
        self.host(self.used.load(Ordering::Relaxed))
    }

    fn host(&self, place: usize) -> Option<&str> {
        let place = place.checked_rem(self.brains.len())?;
        self.brains.get(place).map(String::as_str)
    }
}

#[async_trait]
impl Dialler for TurmoilDialler {
    async fn connect(&self, _host: &str, _port: u16) -> io::Result<Box<dyn ByteStream>> {
        // Counted up before, so that a dial that is given up goes to the next one too.
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        let host = self.host(place).ok_or(io::ErrorKind::NotFound)?;
        let stream = TcpStream::connect((host, PORT)).await?;
        self.next.store(place, Ordering::Relaxed);
        self.used.store(place, Ordering::Relaxed);
        Ok(Box::new(stream))
    }
}
