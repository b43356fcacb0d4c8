//! A WebSocket as the ends of a link.

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use z4j_core::wire::CloseCode;

use super::ends::{Gone, Incoming, Reader, Writer};

/// Receives from a WebSocket.
#[derive(Debug)]
pub(super) struct SocketReader(SplitStream<WebSocket>);

/// Sends on a WebSocket.
#[derive(Debug)]
pub(super) struct SocketWriter(SplitSink<WebSocket, Message>);

/// Takes a WebSocket apart.
pub(super) fn ends(socket: WebSocket) -> (SocketReader, SocketWriter) {
    let (sink, stream) = socket.split();
    (SocketReader(stream), SocketWriter(sink))
}

impl Reader for SocketReader {
    /// Pings are answered by the socket itself and are no frames.
    async fn next(&mut self) -> Incoming {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => return Incoming::Frame(bytes),
                Some(Ok(Message::Text(text))) => return Incoming::Frame(text.into()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Incoming::Gone,
                Some(Err(error)) if is_too_big(&error) => return Incoming::TooBig,
                Some(Err(_)) => return Incoming::Gone,
            }
        }
    }

    async fn drain(&mut self) {
        while let Some(Ok(_)) = self.0.next().await {}
    }
}

impl Writer for SocketWriter {
    async fn feed(&mut self, frame: Bytes) -> Result<(), Gone> {
        self.0.feed(Message::Binary(frame)).await.map_err(|_| Gone)
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        self.0.flush().await.map_err(|_| Gone)
    }

    async fn close(&mut self, code: CloseCode) -> Result<(), Gone> {
        let frame = CloseFrame {
            code: code.code(),
            reason: "".into(),
        };
        let close = Message::Close(Some(frame));
        self.0.send(close).await.map_err(|_| Gone)
    }
}

/// Whether the socket refused a message for its size. The socket's own error type is not part of what axum shows, so
/// its text has to do; a change of it would only make a 4400 a dropped connection.
fn is_too_big(error: &axum::Error) -> bool {
    crate::ops::chain(error).contains("too long")
}
