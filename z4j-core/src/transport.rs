//! The transport seam: moves frames and knows nothing of sequences.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use bytes::Bytes;

/// Opens links to a brain.
///
/// # Contract
/// Within one link frames arrive whole, in order and at most once. Across links nothing is promised: resume,
/// deduplication and replay belong to [`crate::session`].
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// Connects to `endpoint`.
    ///
    /// # Errors
    /// [`TransportError`] with the class that decides the back-off.
    async fn dial(&self, endpoint: &Endpoint) -> Result<Link, TransportError>;
}

/// Takes links from agents.
#[async_trait]
pub trait Acceptor: Debug + Send + Sync + 'static {
    /// Waits for the next link.
    ///
    /// # Errors
    /// [`TransportError`] when no further link can come.
    async fn accept(&self) -> Result<Link, TransportError>;
}

/// The sending half of a link.
#[async_trait]
pub trait FrameSink: Debug + Send {
    /// Hands one frame to the link. `Ok` does not mean that the other end has it.
    ///
    /// # Errors
    /// [`TransportError`] when the link is gone.
    async fn send(&mut self, frame: Bytes) -> Result<(), TransportError>;

    /// Says why and closes.
    ///
    /// # Errors
    /// [`TransportError`] when the link is gone already.
    async fn close(&mut self, reason: CloseReason) -> Result<(), TransportError>;
}

/// The receiving half of a link.
#[async_trait]
pub trait FrameSource: Debug + Send {
    /// Waits for the next frame; `None` when the other end closed. Must be cancel-safe.
    ///
    /// # Errors
    /// [`TransportError`] when the link broke.
    async fn recv(&mut self) -> Result<Option<Bytes>, TransportError>;
}

/// An open link.
#[derive(Debug)]
pub struct Link {
    /// Sends.
    pub sink: Box<dyn FrameSink>,
    /// Receives.
    pub source: Box<dyn FrameSource>,
    /// Who is at the other end.
    pub peer: PeerInfo,
}

/// Who is at the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerInfo {
    /// The address, for logs.
    pub address: Option<String>,
}

/// Where to connect to, and as whom.
#[derive(Clone)]
pub struct Endpoint {
    /// The brain's http(s) URL.
    pub url: String,
    /// The bearer token.
    token: String,
}

impl Endpoint {
    /// The brain at `url`, as the agent that `token` belongs to.
    pub fn new(url: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: token.into(),
        }
    }

    /// The bearer token, to be put into a header and nowhere else.
    #[must_use]
    pub fn expose_token(&self) -> &str {
        &self.token
    }
}

impl Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Why a link is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// The WebSocket close code.
    pub code: u16,
    /// A short text, often empty.
    pub text: String,
}

/// What kind of failure a link met.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The address cannot be reached, or the connection broke.
    Unreachable,
    /// The upgrade was answered with this HTTP status.
    Refused(u16),
    /// The other end closed with a code.
    Closed(CloseReason),
    /// The endpoint is not one that this transport may dial, such as plain HTTP off loopback.
    Forbidden,
    /// A frame was larger than the link takes.
    TooLarge,
}

/// A failure of a link.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// A failure of this kind.
    #[must_use]
    pub const fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure.
    #[must_use]
    pub const fn kind(&self) -> &TransportErrorKind {
        &self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TransportErrorKind::Unreachable => f.write_str("the link could not be kept"),
            TransportErrorKind::Refused(status) => {
                write!(f, "the upgrade was answered with HTTP {status}")
            }
            TransportErrorKind::Closed(reason) => {
                write!(f, "the other end closed with code {}", reason.code)
            }
            TransportErrorKind::Forbidden => f.write_str("this endpoint must not be dialled"),
            TransportErrorKind::TooLarge => f.write_str("a frame was too large"),
        }
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}
