//! How a dashboard gets in, and what it asks.

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt as _;
use z4j_brain::access::{AccessContext, AccessError, AccessPolicy, Principal};
use z4j_core::id::UserId;

/// What a simulated browser sends in place of a cookie. Sessions end when a brain's clock jumps, which is not what a
/// simulated dashboard is to find.
const KEY: &str = "Bearer simulated dashboard";
/// A page is read up to this size; more than any run fills.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Lets simulated dashboards in, and nobody else.
#[derive(Debug)]
pub(crate) struct Door;

#[async_trait]
impl AccessPolicy for Door {
    async fn principal(
        &self,
        request: &Parts,
        _: AccessContext<'_>,
    ) -> Result<Option<Principal>, AccessError> {
        let key = request.headers.get(header::AUTHORIZATION);
        let is_known = key.is_some_and(|key| key.as_bytes() == KEY.as_bytes());
        let person = || Principal::new(UserId::from_u128(1), "dashboard").with_instance_admin();
        Ok(is_known.then(person))
    }

    fn has_password_sign_in(&self) -> bool {
        false
    }
}

/// Opens a stream; `None` when the brain does not give one.
pub(super) async fn open(router: &Router, slug: &str, last_id: Option<&str>) -> Option<Body> {
    let path = format!("/api/v1/projects/{slug}/stream");
    let mut request = request(&path);
    if let Some(id) = last_id {
        request = request.header("last-event-id", id);
    }
    call(router, request).await
}

/// Reads a path below a project; `None` when the brain cannot say.
pub(super) async fn read(router: &Router, slug: &str, path: &str) -> Option<Value> {
    let path = format!("/api/v1/projects/{slug}/{path}");
    let body = call(router, request(&path)).await?;
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn request(path: &str) -> axum::http::request::Builder {
    Request::get(path)
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, KEY)
}

async fn call(router: &Router, request: axum::http::request::Builder) -> Option<Body> {
    let request = request.body(Body::empty()).ok()?;
    match router.clone().oneshot(request).await {
        Ok(answer) if answer.status() == StatusCode::OK => Some(answer.into_body()),
        Ok(_) => None,
        Err(never) => match never {},
    }
}
