//! The two ends of a link as the brain uses them, whatever carries its frames.
//!
//! Static dispatch: the socket is the hot path, and what an idle link takes is most of what an agent costs. A link that
//! came over the transport seam is one more pair of ends ([`super::seam`]).

use std::future::Future;

use bytes::Bytes;
use z4j_core::wire::CloseCode;

/// What comes from the other end.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A frame.
    Frame(Bytes),
    /// A frame that is larger than a link takes; nothing can be read after it.
    TooBig,
    /// The other end closed, or is lost.
    Gone,
}

/// The link is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// Receives.
pub(super) trait Reader: Send + 'static {
    /// The next frame. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Incoming> + Send;

    /// Reads and drops whatever comes until the other end has closed.
    fn drain(&mut self) -> impl Future<Output = ()> + Send;
}

/// Sends.
pub(super) trait Writer: Send + 'static {
    /// Takes a frame, and may keep it until [`Self::flush`].
    fn feed(&mut self, frame: Bytes) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Sends what was taken.
    fn flush(&mut self) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Says that the link ends, and why.
    fn close(&mut self, code: CloseCode) -> impl Future<Output = Result<(), Gone>> + Send;
}
