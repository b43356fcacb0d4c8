//! Connections in memory that end after a number of bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use z4j_agent::transport::{ByteStream, Dialler};

/// What one direction of a connection holds at most.
const PIPE_BYTES: usize = 64 << 10;
/// Connections that wait to be accepted.
const BACKLOG: usize = 16;

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What the agent sends.
    ToBrain,
    /// What the brain sends.
    ToAgent,
}

/// Accepts the other ends of what a [`PipeDialler`] opens, for `axum::serve`.
#[derive(Debug)]
pub struct PipeListener {
    incoming: mpsc::Receiver<DuplexStream>,
}

impl Listener for PipeListener {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.incoming.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(())
    }
}

/// Opens pipes. The first of them can be made to end after a number of bytes in one direction.
#[derive(Clone, Debug)]
pub struct PipeDialler {
    outgoing: mpsc::Sender<DuplexStream>,
    cut: Option<(Way, u64)>,
    first: Arc<Meter>,
    dials: Arc<AtomicU64>,
}

/// Bytes that passed.
#[derive(Debug, Default)]
struct Meter {
    to_brain: AtomicU64,
    to_agent: AtomicU64,
}

impl PipeDialler {
    /// A dialler and the listener at the other end.
    #[must_use]
    pub fn new() -> (Self, PipeListener) {
        let (outgoing, incoming) = mpsc::channel(BACKLOG);
        let dialler = Self {
            outgoing,
            cut: None,
            first: Arc::default(),
            dials: Arc::default(),
        };
        (dialler, PipeListener { incoming })
    }

    /// A dialler to the same listener that has opened nothing yet, and whose first connection is cut there.
    #[must_use]
    pub fn renewed(&self, cut: Option<(Way, u64)>) -> Self {
        Self {
            outgoing: self.outgoing.clone(),
            cut,
            first: Arc::default(),
            dials: Arc::default(),
        }
    }

    /// How many bytes the first connection carried in this direction.
    #[must_use]
    pub fn bytes(&self, way: Way) -> u64 {
        let count = match way {
            Way::ToBrain => &self.first.to_brain,
            Way::ToAgent => &self.first.to_agent,
        };
        count.load(Ordering::Relaxed)
    }

    /// How many connections were opened.
    #[must_use]
    pub fn dials(&self) -> u64 {
        self.dials.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Dialler for PipeDialler {
    async fn connect(&self, _host: &str, _port: u16) -> io::Result<Box<dyn ByteStream>> {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let is_first = self.dials.fetch_add(1, Ordering::Relaxed) == 0;
        let meter = if is_first {
            Arc::clone(&self.first)
        } else {
            Arc::default()
        };
        let cut = self.cut.filter(|_| is_first);
        let sent = self.outgoing.send(theirs).await;
        sent.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(Box::new(CutPipe {
            stream: Some(ours),
            meter,
            cut,
            reader: None,
        }))
    }
}

/// Passes bytes until the cut, then drops the connection under it without a word to either end.
#[derive(Debug)]
struct CutPipe {
    stream: Option<DuplexStream>,
    meter: Arc<Meter>,
    cut: Option<(Way, u64)>,
    reader: Option<Waker>,
}

impl CutPipe {
    /// How many more bytes may pass in this direction.
    fn room(&self, way: Way) -> usize {
        match self.cut {
            Some((cut, after)) if cut == way => {
                let left = after.saturating_sub(self.count(way).load(Ordering::Relaxed));
                usize::try_from(left).unwrap_or(usize::MAX)
            }
            _ => usize::MAX,
        }
    }

    fn count(&self, way: Way) -> &AtomicU64 {
        match way {
            Way::ToBrain => &self.meter.to_brain,
            Way::ToAgent => &self.meter.to_agent,
        }
    }

    /// Counts bytes and cuts when that were all.
    fn passed(&mut self, way: Way, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.count(way).fetch_add(bytes, Ordering::Relaxed);
        self.cut_if_due();
    }

    fn cut_if_due(&mut self) {
        let is_due = self.room(Way::ToBrain) == 0 || self.room(Way::ToAgent) == 0;
        if is_due && self.stream.take().is_some() {
            // Whoever waits to read would wait for ever: its waker went with the stream.
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
    }
}

fn reset() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut")
}

impl AsyncRead for CutPipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cut_if_due();
        let room = self.room(Way::ToAgent);
        let Some(stream) = self.stream.as_mut() else {
            return Poll::Ready(Err(reset()));
        };
        let most = room.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let read = Pin::new(stream).poll_read(cx, &mut part);
        let bytes = part.filled().len();
        buffer.advance(bytes);
        match read {
            Poll::Ready(Ok(())) => self.passed(Way::ToAgent, bytes),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => {
                self.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CutPipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cut_if_due();
        let room = self.room(Way::ToBrain).min(bytes.len());
        let Some(stream) = self.stream.as_mut() else {
            return Poll::Ready(Err(reset()));
        };
        let part = bytes.get(..room).unwrap_or(bytes);
        match Pin::new(stream).poll_write(cx, part) {
            Poll::Ready(Ok(written)) => {
                self.passed(Way::ToBrain, written);
                Poll::Ready(Ok(written))
            }
            other => other,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.as_mut() {
            Some(stream) => Pin::new(stream).poll_flush(cx),
            None => Poll::Ready(Err(reset())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.as_mut() {
            Some(stream) => Pin::new(stream).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
