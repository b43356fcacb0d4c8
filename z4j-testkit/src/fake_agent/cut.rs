//! A stream that can be cut at a byte.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const NEVER: u64 = u64::MAX;

/// Says how many more bytes a [`CutStream`] writes before it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Cutter(Arc<AtomicU64>);

impl Cutter {
    pub(crate) fn new(bytes: Option<u64>) -> Self {
        Self(Arc::new(AtomicU64::new(bytes.unwrap_or(NEVER))))
    }

    /// Cuts after `bytes` more.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Release);
    }
}

/// Passes bytes through until the cutter's count is used up, then drops the stream under it without a word.
#[derive(Debug)]
pub(crate) struct CutStream<S> {
    stream: Option<S>,
    cutter: Cutter,
}

impl<S> CutStream<S> {
    pub(crate) const fn new(stream: S, cutter: Cutter) -> Self {
        Self {
            stream: Some(stream),
            cutter,
        }
    }

    fn is_cut(&self) -> bool {
        self.cutter.0.load(Ordering::Acquire) == 0
    }

    fn whole(&mut self) -> Option<&mut S> {
        if self.is_cut() {
            self.stream = None;
        }
        self.stream.as_mut()
    }
}

fn cut_error() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut by the script")
}

impl<S: AsyncRead + Unpin> AsyncRead for CutStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.whole() {
            Some(stream) => Pin::new(stream).poll_read(cx, buffer),
            None => Poll::Ready(Err(cut_error())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CutStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = self.cutter.0.load(Ordering::Acquire);
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let Some(stream) = self.whole() else {
            return Poll::Ready(Err(cut_error()));
        };
        let written = match Pin::new(stream).poll_write(cx, bytes.get(..take).unwrap_or(bytes)) {
            Poll::Ready(Ok(written)) => written,
            other => return other,
        };
        if left != NEVER {
            let spent = u64::try_from(written).unwrap_or(u64::MAX);
            self.cutter.0.fetch_sub(spent.min(left), Ordering::AcqRel);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.whole() {
            Some(stream) => Pin::new(stream).poll_flush(cx),
            None => Poll::Ready(Err(cut_error())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.whole() {
            Some(stream) => Pin::new(stream).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
