//! Ends a link so that the other end learns why.

use std::time::Duration;

use z4j_core::wire::CloseCode;

use super::ends::{Reader, Writer};

/// How long the other end may take to hear the close frame and to answer it.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Sends a close frame and reads on until the other end has closed: to drop a socket with unread bytes would reset the
/// connection and take the close frame with it.
pub(super) async fn close(reader: &mut impl Reader, writer: &mut impl Writer, code: CloseCode) {
    let goodbye = async {
        if writer.close(code).await.is_ok() {
            reader.drain().await;
        }
    };
    // A peer that does not answer in time loses nothing but the reason.
    let _ = tokio::time::timeout(CLOSE_WAIT, goodbye).await;
}
