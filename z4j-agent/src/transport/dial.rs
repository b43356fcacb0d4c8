//! Where the byte stream under a WebSocket comes from.

use std::fmt::Debug;
use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

/// What a WebSocket runs on: TCP, TLS, or a pipe in tests.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send + Debug + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Debug + 'static> ByteStream for S {}

/// Opens byte streams in place of TCP: a Unix socket, a tunnel, a simulated network.
#[async_trait]
pub trait Dialler: Debug + Send + Sync + 'static {
    /// Connects to `host` and `port` of the brain's URL. Given up after fifteen seconds together with the upgrade.
    ///
    /// # Errors
    /// Why there is no stream; the agent tries again later.
    async fn connect(&self, host: &str, port: u16) -> io::Result<Box<dyn ByteStream>>;
}
