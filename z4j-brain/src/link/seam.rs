//! A link of the transport seam as the ends of a link, and the way in for such links.

use std::sync::Arc;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use z4j_core::limits;
use z4j_core::transport::{CloseReason, FrameSink, FrameSource, Link, TransportErrorKind};
use z4j_core::wire::CloseCode;

use super::ends::{Gone, Incoming, Reader, Writer};
use super::{admission, closing, session};
use crate::shared::Shared;

/// Frames a little above the limit are let through, so that they are answered with the close code that says why.
pub(super) const MESSAGE_BYTES_MAX: usize = limits::FRAME_BYTES_MAX * 2;

struct SeamReader(Box<dyn FrameSource>);

struct SeamWriter(Box<dyn FrameSink>);

/// Serves a link until it ends. A brain that is not ready, or whose store cannot say whose token it is, closes it with
/// 1001: the agent tries again soon, which after a refused token it would not.
pub(crate) async fn serve(shared: Arc<Shared>, link: Link, token: SecretString) {
    let (mut reader, mut writer) = (SeamReader(link.source), SeamWriter(link.sink));
    let is_full = shared.links.link_count() >= limits::CONNECTIONS_MAX;
    let admission = if shared.links.is_open() && !is_full {
        admission::admit(&shared, Some(token.expose_secret()))
            .await
            .ok()
    } else {
        None
    };
    drop(token);
    match admission {
        Some(admission) => {
            let tasks = shared.links.tasks.clone();
            tasks
                .track_future(session::run(shared, reader, writer, admission))
                .await;
        }
        None => closing::close(&mut reader, &mut writer, CloseCode::GoingAway).await,
    }
}

impl Reader for SeamReader {
    async fn next(&mut self) -> Incoming {
        match self.0.recv().await {
            Ok(Some(frame)) if frame.len() > MESSAGE_BYTES_MAX => Incoming::TooBig,
            Ok(Some(frame)) => Incoming::Frame(frame),
            Ok(None) => Incoming::Gone,
            Err(error) if *error.kind() == TransportErrorKind::TooLarge => Incoming::TooBig,
            Err(_) => Incoming::Gone,
        }
    }

    async fn drain(&mut self) {
        while let Ok(Some(_)) = self.0.recv().await {}
    }
}

impl Writer for SeamWriter {
    async fn feed(&mut self, frame: Bytes) -> Result<(), Gone> {
        self.0.send(frame).await.map_err(|_| Gone)
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        Ok(())
    }

    async fn close(&mut self, code: CloseCode) -> Result<(), Gone> {
        let reason = CloseReason {
            code: code.code(),
            text: String::new(),
        };
        self.0.close(reason).await.map_err(|_| Gone)
    }
}
