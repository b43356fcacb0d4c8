//! The WebSocket transport: one binary message per frame, pings against silent links.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::header::AUTHORIZATION;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{
    Connector, WebSocketStream, client_async_with_config, connect_async_tls_with_config,
};
use tokio_util::task::AbortOnDropHandle;
use z4j_core::limits;
use z4j_core::transport::{
    CloseReason, Endpoint, FrameSink, FrameSource, Link, PeerInfo, Transport, TransportError,
    TransportErrorKind,
};

use super::{ByteStream as Stream, Dialler, WsUrl};

/// The library's own default costs 128 KiB per link; frames to an agent are small.
const READ_BUFFER_BYTES: usize = 8 << 10;
/// Resolving, connecting, TLS and the upgrade together.
const DIAL_WAIT: Duration = Duration::from_secs(15);
/// How often a ping goes out, so that a healthy link is never silent.
const PING_EVERY: Duration = Duration::from_secs(20);
/// After this many ping intervals without a single byte from the other end the link counts as dead.
const SILENT_INTERVALS_MAX: u32 = 3;

/// Dials the agent socket of a brain.
#[derive(Clone)]
pub struct WsTransport {
    allow_plain_text: bool,
    tls: Option<Arc<ClientConfig>>,
    dialler: Option<Arc<dyn Dialler>>,
}

impl WsTransport {
    /// Refuses `http://` off loopback unless `allow_plain_text`: the token would be readable on the network.
    #[must_use]
    pub fn new(allow_plain_text: bool) -> Self {
        Self {
            allow_plain_text,
            tls: tls_config(),
            dialler: None,
        }
    }

    /// Runs over the streams of `dialler` instead of TCP. TLS is left to it: what it opens is used as it is, so it may be
    /// given `http://` only.
    #[must_use]
    pub fn over(dialler: impl Dialler) -> Self {
        Self {
            allow_plain_text: true,
            tls: None,
            dialler: Some(Arc::new(dialler)),
        }
    }
}

impl Debug for WsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WsTransport")
            .field("allow_plain_text", &self.allow_plain_text)
            .finish_non_exhaustive()
    }
}

/// The provider is named here: without one in the process, the library's default would panic in the host.
fn tls_config() -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?;
    Some(Arc::new(
        versions.with_root_certificates(roots).with_no_client_auth(),
    ))
}

#[async_trait]
impl Transport for WsTransport {
    async fn dial(&self, endpoint: &Endpoint) -> Result<Link, TransportError> {
        let forbidden = || TransportError::new(TransportErrorKind::Forbidden);
        let url = WsUrl::parse(&endpoint.url).map_err(|reason| forbidden().with_source(reason))?;
        if url.leaks_token() && !self.allow_plain_text {
            return Err(forbidden());
        }
        let request = ClientRequestBuilder::new(url.uri().clone()).with_header(
            AUTHORIZATION.as_str(),
            format!("Bearer {}", endpoint.expose_token()),
        );
        let dial = async {
            match &self.dialler {
                Some(dialler) => dial_over(&**dialler, &url, request).await,
                None => self.dial_tcp(&url, request).await,
            }
        };
        match tokio::time::timeout(DIAL_WAIT, dial).await {
            Ok(dialled) => dialled,
            Err(elapsed) => {
                Err(TransportError::new(TransportErrorKind::Unreachable).with_source(elapsed))
            }
        }
    }
}

impl WsTransport {
    async fn dial_tcp(
        &self,
        url: &WsUrl,
        request: ClientRequestBuilder,
    ) -> Result<Link, TransportError> {
        let tls = self.tls.clone().ok_or_else(|| {
            TransportError::new(TransportErrorKind::Forbidden).with_source("no TLS versions")
        })?;
        let tls = Some(Connector::Rustls(tls));
        let (socket, _) = connect_async_tls_with_config(request, Some(socket_config()), true, tls)
            .await
            .map_err(transport_error)?;
        Ok(link(socket, url.uri().to_string()))
    }
}

async fn dial_over(
    dialler: &dyn Dialler,
    url: &WsUrl,
    request: ClientRequestBuilder,
) -> Result<Link, TransportError> {
    let (host, port) = url.plain_address().ok_or_else(|| {
        TransportError::new(TransportErrorKind::Forbidden)
            .with_source("TLS is for the dialler to do")
    })?;
    let stream = dialler
        .connect(host, port)
        .await
        .map_err(|error| TransportError::new(TransportErrorKind::Unreachable).with_source(error))?;
    let (socket, _) = client_async_with_config(request, stream, Some(socket_config()))
        .await
        .map_err(transport_error)?;
    Ok(link(socket, url.uri().to_string()))
}

fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(limits::FRAME_BYTES_MAX))
        .max_frame_size(Some(limits::FRAME_BYTES_MAX))
}

fn link<S: Stream>(socket: WebSocketStream<S>, address: String) -> Link {
    let (sink, stream) = socket.split();
    let (orders, inbox) = mpsc::channel(1);
    let writer = tokio::spawn(write(sink, inbox));
    let silence = ticker();
    Link {
        sink: Box::new(WsSink {
            orders,
            _writer: AbortOnDropHandle::new(writer),
        }),
        source: Box::new(WsSource {
            stream,
            silence,
            silent_intervals: 0,
        }),
        peer: PeerInfo {
            address: Some(address),
        },
    }
}

/// Skips the tick that an interval gives at once.
fn ticker() -> Interval {
    let mut ticker = interval(PING_EVERY);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker.reset();
    ticker
}

struct Order {
    message: Message,
    done: oneshot::Sender<Result<(), WsError>>,
}

/// Owns the writing half, because pings go out while nobody sends.
async fn write<S: Stream>(
    mut sink: SplitSink<WebSocketStream<S>, Message>,
    mut orders: mpsc::Receiver<Order>,
) {
    let mut pings = ticker();
    loop {
        let written = tokio::select! {
            biased;
            order = orders.recv() => match order {
                None => return,
                Some(order) => {
                    let written = sink.send(order.message).await;
                    let goes_on = written.is_ok();
                    // Whoever asked may have stopped waiting; the message is written all the same.
                    let _unheard = order.done.send(written);
                    goes_on
                }
            },
            _ = pings.tick() => sink.send(Message::Ping(Bytes::new())).await.is_ok(),
        };
        if !written {
            return;
        }
    }
}

#[derive(Debug)]
struct WsSink {
    orders: mpsc::Sender<Order>,
    _writer: AbortOnDropHandle<()>,
}

impl WsSink {
    async fn order(&self, message: Message) -> Result<(), TransportError> {
        let (done, written) = oneshot::channel();
        let gone = || TransportError::new(TransportErrorKind::Unreachable);
        self.orders
            .send(Order { message, done })
            .await
            .map_err(|_| gone())?;
        written.await.map_err(|_| gone())?.map_err(transport_error)
    }
}

#[async_trait]
impl FrameSink for WsSink {
    async fn send(&mut self, frame: Bytes) -> Result<(), TransportError> {
        self.order(Message::Binary(frame)).await
    }

    async fn close(&mut self, reason: CloseReason) -> Result<(), TransportError> {
        let frame = CloseFrame {
            code: reason.code.into(),
            reason: reason.text.into(),
        };
        self.order(Message::Close(Some(frame))).await
    }
}

#[derive(Debug)]
struct WsSource<S> {
    stream: SplitStream<WebSocketStream<S>>,
    silence: Interval,
    silent_intervals: u32,
}

#[async_trait]
impl<S: Stream> FrameSource for WsSource<S> {
    async fn recv(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            let message = tokio::select! {
                biased;
                message = self.stream.next() => message,
                _ = self.silence.tick() => {
                    self.silent_intervals += 1;
                    if self.silent_intervals >= SILENT_INTERVALS_MAX {
                        let silent = TransportError::new(TransportErrorKind::Unreachable);
                        return Err(silent.with_source("nothing came from the other end for a minute"));
                    }
                    continue;
                }
            };
            self.silent_intervals = 0;
            match message {
                Some(Ok(Message::Binary(frame))) => return Ok(Some(frame)),
                Some(Ok(Message::Text(text))) => return Ok(Some(text.into())),
                Some(Ok(Message::Close(frame))) => return closed(frame),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) | None => {
                    return Ok(None);
                }
                Some(Err(error)) => return Err(transport_error(error)),
            }
        }
    }
}

fn closed(frame: Option<CloseFrame>) -> Result<Option<Bytes>, TransportError> {
    match frame {
        None => Ok(None),
        Some(frame) => Err(TransportError::new(TransportErrorKind::Closed(
            CloseReason {
                code: frame.code.into(),
                text: frame.reason.to_string(),
            },
        ))),
    }
}

fn transport_error(error: WsError) -> TransportError {
    let kind = match &error {
        WsError::Http(response) => TransportErrorKind::Refused(response.status().as_u16()),
        WsError::Capacity(_) => TransportErrorKind::TooLarge,
        _ => TransportErrorKind::Unreachable,
    };
    TransportError::new(kind).with_source(error)
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    async fn pipe() -> (Link, WebSocketStream<DuplexStream>) {
        let (ours, theirs) = duplex(64 << 10);
        let ours = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
        let theirs = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
        (link(ours, String::new()), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_on_which_nothing_comes_is_given_up_after_a_minute() {
        let (mut link, _silent) = pipe().await;
        let begun = tokio::time::Instant::now();
        let error = link.source.recv().await.unwrap_err();
        assert_eq!(error.kind(), &TransportErrorKind::Unreachable);
        assert_eq!(begun.elapsed(), PING_EVERY * SILENT_INTERVALS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_link_lives_as_long_as_its_pings_are_answered() {
        let (mut link, mut other_end) = pipe().await;
        let answering = async {
            for _ in 0..30 {
                // Reading is what answers a ping.
                assert!(other_end.next().await.unwrap().unwrap().is_ping());
                other_end.flush().await.unwrap();
            }
            other_end.send(Message::binary("frame")).await.unwrap();
        };
        let (received, ()) = tokio::join!(link.source.recv(), answering);
        assert_eq!(received.unwrap().as_deref(), Some(b"frame".as_slice()));
    }

    #[tokio::test]
    async fn frames_pass_whole_and_in_order_and_a_close_code_reaches_the_agent() {
        let (mut link, mut other_end) = pipe().await;
        for text in ["one", "two"] {
            link.sink
                .send(Bytes::from_static(text.as_bytes()))
                .await
                .unwrap();
        }
        for text in ["one", "two"] {
            assert_eq!(
                other_end.next().await.unwrap().unwrap(),
                Message::binary(text)
            );
        }
        other_end.send(Message::text("{}")).await.unwrap();
        assert_eq!(
            link.source.recv().await.unwrap().as_deref(),
            Some(b"{}".as_slice())
        );
        let frame = CloseFrame {
            code: 4003.into(),
            reason: "".into(),
        };
        other_end.send(Message::Close(Some(frame))).await.unwrap();
        let error = link.source.recv().await.unwrap_err();
        assert!(matches!(error.kind(), TransportErrorKind::Closed(reason) if reason.code == 4003));
    }
}
