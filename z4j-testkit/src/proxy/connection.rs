//! Passes the bytes of one connection on, until its fault.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio_util::sync::CancellationToken;

use super::server::{Tally, add};
use super::{ProxyFault, Way};

/// What a direction holds at most.
const BUFFER_BYTES: usize = 16 << 10;

/// One connection and its fault.
pub(super) struct Connection {
    fault: Option<ProxyFault>,
    tally: Arc<Tally>,
    /// Ends this connection.
    cut: CancellationToken,
    /// Of both directions.
    passed: AtomicU64,
}

impl Connection {
    /// A connection that ends when `cut` is cancelled.
    pub(super) fn new(
        fault: Option<ProxyFault>,
        tally: Arc<Tally>,
        cut: CancellationToken,
    ) -> Self {
        Self {
            fault,
            tally,
            cut: cut.child_token(),
            passed: AtomicU64::new(0),
        }
    }

    pub(super) async fn run(self, mut client: TcpStream, mut server: TcpStream) {
        for stream in [&client, &server] {
            // Without it only the timing differs.
            let _ = stream.set_nodelay(true);
        }
        let is_cut = {
            let (client_read, client_write) = client.split();
            let (server_read, server_write) = server.split();
            let both = async {
                let there = self.pass(Way::ToUpstream, client_read, server_write);
                let back = self.pass(Way::ToClient, server_read, client_write);
                tokio::try_join!(there, back)
            };
            tokio::select! {
                biased;
                () = self.cut.cancelled() => true,
                () = self.too_old() => true,
                // A broken end breaks the other, as it would without us.
                ended = both => ended.is_err(),
            }
        };
        if is_cut {
            add(&self.tally.cuts, u64::from(self.is_own_cut()));
            for stream in [client, server] {
                // Closed with a reset: whatever is under way is lost, and both ends see it at once.
                let _ = stream.set_zero_linger();
            }
        }
    }

    /// Whether the connection was ended by us.
    fn is_own_cut(&self) -> bool {
        self.cut.is_cancelled() || matches!(self.fault, Some(ProxyFault::CutLater { .. }))
    }

    async fn too_old(&self) {
        match self.fault {
            Some(ProxyFault::CutLater { after }) => tokio::time::sleep(after).await,
            _ => std::future::pending().await,
        }
    }

    /// Passes one direction on until it ends.
    async fn pass(
        &self,
        way: Way,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut own = 0;
        loop {
            let read = from.read(&mut buffer).await?;
            let mut piece = buffer.get(..read).unwrap_or_default();
            if piece.is_empty() {
                return to.shutdown().await;
            }
            if let Some(left) = self.left(way, own) {
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                let (before, after) = piece.split_at(left.min(piece.len()));
                if !after.is_empty() || before.len() == left {
                    self.write(way, &mut to, before).await?;
                    return self.fail(from, to, after.len()).await;
                }
                piece = before;
            }
            self.slow_down(piece.len()).await;
            self.write(way, &mut to, piece).await?;
            own += u64::try_from(read).unwrap_or(u64::MAX);
        }
    }

    /// How many more bytes of this direction pass before the fault.
    fn left(&self, way: Way, own: u64) -> Option<u64> {
        match self.fault? {
            ProxyFault::Cut { after_bytes } => {
                Some(after_bytes.saturating_sub(self.passed.load(Ordering::Relaxed)))
            }
            ProxyFault::HalfClose {
                way: ends,
                after_bytes,
            }
            | ProxyFault::BlackHole {
                way: ends,
                after_bytes,
            } => (ends == way).then(|| after_bytes.saturating_sub(own)),
            ProxyFault::CutLater { .. }
            | ProxyFault::Delay { .. }
            | ProxyFault::Throttle { .. } => None,
        }
    }

    async fn write(&self, way: Way, to: &mut WriteHalf<'_>, piece: &[u8]) -> io::Result<()> {
        to.write_all(piece).await?;
        let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.passed.fetch_add(bytes, Ordering::Relaxed);
        let count = match way {
            Way::ToUpstream => &self.tally.bytes_to_upstream,
            Way::ToClient => &self.tally.bytes_to_client,
        };
        add(count, bytes);
        Ok(())
    }

    /// The fault of this direction is due; `rest` bytes were read that do not pass.
    async fn fail(
        &self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        rest: usize,
    ) -> io::Result<()> {
        match self.fault {
            Some(ProxyFault::HalfClose { .. }) => {
                add(&self.tally.half_closes, 1);
                to.shutdown().await?;
                self.swallow(&mut from, 0).await
            }
            Some(ProxyFault::BlackHole { .. }) => {
                add(&self.tally.black_holes, 1);
                self.swallow(&mut from, rest).await?;
                // The end of what is swallowed is swallowed too.
                std::future::pending().await
            }
            _ => {
                self.cut.cancel();
                std::future::pending().await
            }
        }
    }

    /// Reads without passing on, so that the sender notices nothing.
    async fn swallow(&self, from: &mut ReadHalf<'_>, rest: usize) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut read = rest;
        loop {
            add(
                &self.tally.swallowed_bytes,
                u64::try_from(read).unwrap_or(u64::MAX),
            );
            read = from.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
        }
    }

    async fn slow_down(&self, bytes: usize) {
        match self.fault {
            Some(ProxyFault::Delay { each }) => {
                add(&self.tally.delays, 1);
                tokio::time::sleep(each).await;
            }
            Some(ProxyFault::Throttle { bytes_per_second }) => {
                add(&self.tally.throttles, 1);
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                let rate = f64::from(u32::try_from(bytes_per_second).unwrap_or(u32::MAX).max(1));
                tokio::time::sleep(Duration::from_secs_f64(f64::from(bytes) / rate)).await;
            }
            _ => {}
        }
    }
}
