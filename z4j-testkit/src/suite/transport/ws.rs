//! An accepting end for the WebSocket transport, so that whoever dials brains can prove the dialling.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use z4j_core::limits::FRAME_BYTES_MAX;
use z4j_core::transport::{
    Acceptor, CloseReason, FrameSink, FrameSource, Link, PeerInfo, TransportError,
    TransportErrorKind,
};

/// Takes WebSocket links on a free port of the loopback address. It authenticates nobody.
#[derive(Clone, Debug)]
pub struct WsAcceptor {
    listener: Arc<TcpListener>,
    url: String,
}

impl WsAcceptor {
    /// Listens.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn bind() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self {
            listener: Arc::new(listener),
            url,
        })
    }

    /// Where it listens, as an agent is told.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

#[async_trait]
impl Acceptor for WsAcceptor {
    async fn accept(&self) -> Result<Link, TransportError> {
        let (stream, address) = self.listener.accept().await.map_err(broken)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let socket = tokio_tungstenite::accept_async_with_config(stream, Some(config));
        let (sink, stream) = socket.await.map_err(broken)?.split();
        Ok(Link {
            sink: Box::new(Sink(sink)),
            source: Box::new(Source(stream)),
            peer: PeerInfo {
                address: Some(address.to_string()),
            },
        })
    }
}

#[derive(Debug)]
struct Sink(SplitSink<WebSocketStream<TcpStream>, Message>);

#[async_trait]
impl FrameSink for Sink {
    async fn send(&mut self, frame: Bytes) -> Result<(), TransportError> {
        self.0.send(Message::Binary(frame)).await.map_err(broken)
    }

    async fn close(&mut self, reason: CloseReason) -> Result<(), TransportError> {
        let frame = CloseFrame {
            code: reason.code.into(),
            reason: reason.text.into(),
        };
        let close = Message::Close(Some(frame));
        self.0.send(close).await.map_err(broken)
    }
}

#[derive(Debug)]
struct Source(SplitStream<WebSocketStream<TcpStream>>);

#[async_trait]
impl FrameSource for Source {
    async fn recv(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(frame))) => return Ok(Some(frame)),
                Some(Ok(Message::Text(text))) => return Ok(Some(text.into())),
                Some(Ok(Message::Close(Some(frame)))) => {
                    let reason = CloseReason {
                        code: frame.code.into(),
                        text: frame.reason.to_string(),
                    };
                    return Err(TransportError::new(TransportErrorKind::Closed(reason)));
                }
                Some(Ok(Message::Close(None))) | None => return Ok(None),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) => return Ok(None),
                Some(Err(error)) => return Err(broken(error)),
            }
        }
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TransportError {
    TransportError::new(TransportErrorKind::Unreachable).with_source(error)
}
