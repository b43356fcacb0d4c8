//! Ends a socket so that the other end learns why.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use z4j_core::wire::CloseCode;

/// How long the other end may take to hear the close frame and to answer it.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Closes a socket that was accepted only for that.
pub(super) async fn refuse(socket: WebSocket, code: CloseCode) {
    let (mut sink, mut stream) = socket.split();
    close(&mut sink, &mut stream, code).await;
}

/// Sends a close frame and reads on until the other end has closed: to drop a socket with unread bytes would reset the
/// connection and take the close frame with it.
pub(super) async fn close(
    sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    stream: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin),
    code: CloseCode,
) {
    let frame = CloseFrame {
        code: code.code(),
        reason: "".into(),
    };
    let goodbye = async {
        if sink.send(Message::Close(Some(frame))).await.is_err() {
            return;
        }
        while let Some(Ok(_)) = stream.next().await {}
    };
    // A peer that does not answer in time loses nothing but the reason.
    let _ = tokio::time::timeout(CLOSE_WAIT, goodbye).await;
}
