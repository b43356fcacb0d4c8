//! The agent socket: `/ws/agent`, and `/ws`, which is the same.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::FutureExt as _;
use z4j_core::limits;

use super::admission::{self, Admission};
use super::seam::MESSAGE_BYTES_MAX;
use super::{session, socket};
use crate::http::Peer;
use crate::shared::Shared;

/// Small, because most links are idle: it is most of what an idle link costs.
const READ_BUFFER_BYTES: usize = 2 << 10;
/// Acks of one commit are gathered up to this size before they are written.
const WRITE_BUFFER_BYTES: usize = 16 << 10;
/// A peer that does not read is cut off at this size.
const WRITE_BUFFER_BYTES_MAX: usize = 4 << 20;
/// What a refused peer may send before it hears why: nothing of it is looked at.
const REFUSED_MESSAGE_BYTES_MAX: usize = 4 << 10;

/// The agent socket under both of its paths.
pub(crate) fn route(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/ws/agent", any(upgrade))
        .route("/ws", any(upgrade))
        .with_state(shared)
}

async fn upgrade(
    State(shared): State<Arc<Shared>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    if is_browser(&headers) {
        return (StatusCode::FORBIDDEN, "This socket is for agents.").into_response();
    }
    if !shared.links.is_open() || shared.links.link_count() >= limits::CONNECTIONS_MAX {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Ok(admission) = admission::admit(&shared, bearer(&headers)).await else {
        // The store cannot say: the agent tries again soon, which after a refused token it would not.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let message_bytes_max = match &admission {
        Admission::Agent(_) => {
            if let Some(Extension(peer)) = &peer {
                peer.trust();
            }
            MESSAGE_BYTES_MAX
        }
        Admission::Refused(_) => REFUSED_MESSAGE_BYTES_MAX,
    };
    let tasks = shared.links.tasks.clone();
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(message_bytes_max)
        .max_frame_size(message_bytes_max)
        .on_upgrade(move |socket| {
            // Until the socket is gone it counts against its address, unless it is an agent's.
            let (reader, writer) = socket::ends(socket);
            let serving = session::run(shared, reader, writer, admission).map(|()| drop(peer));
            tasks.track_future(serving)
        })
}

/// The token of an `Authorization` header; the scheme in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Browsers name the page that a socket comes from and bring their cookies; agents do neither (`reliability.md` S-15).
fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key(header::COOKIE)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};
    use std::sync::Arc;

    use axum::extract::Request;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto::Builder;
    use hyper_util::service::TowerToHyperService;
    use secrecy::{ExposeSecret as _, SecretString};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tower::ServiceExt as _;
    use z4j_testkit::mem::MemStore;

    use super::*;
    use crate::Brain;
    use crate::access::PasswordSignIn;
    use crate::config::BrainSecrets;
    use crate::http::Slots;

    const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn brain() -> Brain {
        let secret =
            |name: &str| SecretString::from(format!("{name}-secret-of-a-test-brain-0123456789"));
        let secrets = BrainSecrets {
            master: secret("master"),
            session: secret("session"),
            audit: secret("audit"),
        };
        let store = Arc::new(MemStore::new());
        let brain = Brain::builder(store, secrets, PasswordSignIn::new())
            .build()
            .unwrap();
        brain.shared().links.open();
        brain
    }

    /// Asks for the agent socket over a connection of [`FROM`]; answers it once the brain has said 101.
    async fn upgraded(brain: &Brain, unproven: &Arc<Slots<IpAddr>>, token: &str) -> DuplexStream {
        let peer = Peer::new(SocketAddr::new(FROM, 9), unproven.take(FROM));
        let (mut client, server) = tokio::io::duplex(1 << 10);
        let service = brain.router().map_request(move |mut request: Request<_>| {
            request.extensions_mut().insert(peer.clone());
            request
        });
        tokio::spawn(async move {
            Builder::new(TokioExecutor::new())
                .http1_only()
                .serve_connection_with_upgrades(
                    TokioIo::new(server),
                    TowerToHyperService::new(service),
                )
                .await
                .unwrap();
        });
        let head = format!(
            "GET /ws/agent HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(client.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        client
    }

    #[tokio::test]
    async fn an_agent_that_is_admitted_no_longer_counts_against_its_address() {
        let (brain, unproven) = (brain(), Arc::new(Slots::new(1)));
        let operator = brain.operator();
        let password = "vexed-otter-plumbing-9".into();
        operator
            .bootstrap_admin("admin@example.org", &password)
            .await
            .unwrap();
        let agent = operator.mint_agent("default", "web").await.unwrap();
        let _link = upgraded(&brain, &unproven, agent.token.expose_secret()).await;
        assert!(unproven.take(FROM).is_some());
    }

    #[tokio::test]
    async fn a_stranger_that_is_upgraded_to_be_refused_counts_against_its_address() {
        let (brain, unproven) = (brain(), Arc::new(Slots::new(1)));
        let _link = upgraded(&brain, &unproven, "unknown").await;
        assert!(unproven.take(FROM).is_none());
    }

    #[tokio::test]
    async fn a_stranger_that_is_upgraded_to_be_refused_may_not_send_large_frames() {
        let (brain, unproven) = (brain(), Arc::new(Slots::new(1)));
        let mut link = upgraded(&brain, &unproven, "unknown").await;
        // A masked text frame of 64 KiB, which fits the limit of agents.
        let mut bytes = vec![0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.resize(bytes.len() + (64 << 10), b'x');
        let sent = link.write_all(&bytes).await;
        assert_eq!(
            sent.unwrap_err().kind(),
            std::io::ErrorKind::BrokenPipe,
            "it was read to its end"
        );
    }
}
