//! The agent socket: `/ws/agent`, and `/ws`, which is the same.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router};
use z4j_core::limits;

use super::admission::{self, Admission};
use super::session;
use crate::shared::Shared;

/// Small, because most links are idle: it is most of what an idle link costs.
const READ_BUFFER_BYTES: usize = 2 << 10;
/// Acks of one commit are gathered up to this size before they are written.
const WRITE_BUFFER_BYTES: usize = 16 << 10;
/// A peer that does not read is cut off at this size.
const WRITE_BUFFER_BYTES_MAX: usize = 4 << 20;
/// Frames a little above the limit are read, so that they can be answered with the close code that says why.
const MESSAGE_BYTES_MAX: usize = limits::FRAME_BYTES_MAX * 2;
/// What a refused peer may send before it hears why: nothing of it is looked at.
const REFUSED_MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Marks the answer to an agent whose token is known. A refused one is answered with 101 as well, so the status says nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted;

/// The agent socket under both of its paths.
pub(crate) fn route(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/ws/agent", any(upgrade))
        .route("/ws", any(upgrade))
        .with_state(shared)
}

async fn upgrade(
    State(shared): State<Arc<Shared>>,
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
    let Ok(admission) = admission::admit(&shared, &headers).await else {
        // The store cannot say: the agent tries again soon, which after a refused token it would not.
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (admitted, message_bytes_max) = match &admission {
        Admission::Agent(_) => (Some(Extension(Admitted)), MESSAGE_BYTES_MAX),
        Admission::Refused(_) => (None, REFUSED_MESSAGE_BYTES_MAX),
    };
    let tasks = shared.links.tasks.clone();
    let response = upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(message_bytes_max)
        .max_frame_size(message_bytes_max)
        .on_upgrade(move |socket| tasks.track_future(session::run(shared, socket, admission)));
    (admitted, response).into_response()
}

/// Browsers name the page that a socket comes from and bring their cookies; agents do neither (`reliability.md` S-15).
fn is_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key(header::COOKIE)
}
