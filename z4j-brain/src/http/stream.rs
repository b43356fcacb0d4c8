//! The live stream of a project: server-sent events that can be resumed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use z4j_core::id::UserId;
use z4j_core::policy::{Permission, allows};

use super::error::ApiError;
use super::gate::{Scope, principal_of, project_of};
use super::slots::Slot;
use super::state::App;
use super::stream_render::{self, render};
use crate::live::Subscription;

/// A comment this often keeps proxies from closing a quiet stream.
const BEAT: Duration = Duration::from_secs(15);
/// Rights are looked at again this often, and at once when somebody says that some changed (I-25: within a second).
const RIGHTS_CHECK: Duration = Duration::from_millis(800);
/// Changes are gathered this long, so that a busy project costs a few messages a second and not thousands.
const GATHER: Duration = Duration::from_millis(200);

/// Follow a project's changes.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/stream", tag = "live",
    params(("slug" = String, Path), ("Last-Event-ID" = Option<String>, Header, description = "Resumes after this event")),
    responses((status = 200, description = "Server-sent events: `ready`, `reset`, `tasks`, `counters`, `command`, `agent`, \
        `worker`, `queue`", content_type = "text/event-stream", body = String)))]
pub(crate) async fn stream(
    State(app): State<App>,
    scope: Scope,
    headers: HeaderMap,
    parts: Parts,
) -> Result<Response, ApiError> {
    let slot = app.streams.take(scope.principal.user_id()).ok_or_else(|| {
        let message = "You hold 16 live streams already. Close a tab.";
        ApiError::too_many("too_many_streams", message, BEAT)
    })?;
    let follower = Follower::new(app, scope, parts, slot, last_id(&headers));
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let beat = KeepAlive::new().interval(BEAT).text("beat");
    let mut response = Sse::new(events).keep_alive(beat).into_response();
    let kind = http::HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
        .headers_mut()
        .insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    Ok(response)
}

/// One reader.
struct Follower {
    app: App,
    scope: Scope,
    /// The request, to ask again whose it is.
    parts: Parts,
    subscription: Subscription,
    rights: watch::Receiver<u64>,
    check_at: Instant,
    ready: VecDeque<Event>,
    _slot: Slot<UserId>,
}

impl Follower {
    fn new(
        app: App,
        scope: Scope,
        parts: Parts,
        slot: Slot<UserId>,
        last_id: Option<&str>,
    ) -> Self {
        let subscription = app.shared.hub.subscribe(scope.project.id, last_id);
        let mut ready = VecDeque::new();
        if last_id.is_none() {
            let at = app.shared.env.now();
            let id = app.shared.hub.event_id(subscription.position());
            ready.extend(stream_render::ready(at, id));
        }
        Self {
            rights: app.shared.rights.subscribe(),
            check_at: Instant::now() + RIGHTS_CHECK,
            app,
            scope,
            parts,
            subscription,
            ready,
            _slot: slot,
        }
    }

    /// The next event; `None` when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            tokio::select! {
                biased;
                () = self.app.stop.cancelled() => return None,
                changed = self.rights.changed() => {
                    changed.ok()?;
                    self.check().await?;
                }
                () = sleep_until(self.check_at) => self.check().await?,
                message = self.subscription.next() => {
                    self.ready = render(&self.app, &self.scope, message).await.into();
                    // The next call waits here, not in `next` above, so that what comes meanwhile is conflated.
                    if self.ready.is_empty() {
                        sleep(GATHER).await;
                    } else {
                        let first = self.ready.pop_front();
                        sleep(GATHER).await;
                        return first;
                    }
                }
            }
        }
    }

    /// Ends the stream when its person may no longer read it.
    async fn check(&mut self) -> Option<()> {
        self.check_at = Instant::now() + RIGHTS_CHECK;
        if !self.app.shared.health.is_running() {
            return None;
        }
        let principal = principal_of(&self.app, &self.parts, false).await.ok()??;
        let (project, role) = project_of(&self.app, &principal, &self.scope.project.slug)
            .await
            .ok()?;
        let may_read = project.id == self.scope.project.id && allows(role, Permission::StreamRead);
        may_read.then_some(())
    }
}

/// What the reader has seen; a text that no brain gave out is that of another one.
fn last_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("last-event-id")?.to_str().unwrap_or_default();
    (!id.is_empty()).then_some(id)
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("subscription", &Arc::as_ptr(&self.app))
            .finish_non_exhaustive()
    }
}
