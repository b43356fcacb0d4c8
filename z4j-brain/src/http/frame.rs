//! What surrounds every request: an id, limits, the origin check, caught panics, one shape of errors, the headers.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use uuid::Uuid;

use super::error::{self, ApiError};
use super::headers;
use super::state::App;

/// Longest path and query (`reliability.md` §6.6).
const URI_BYTES_MAX: usize = 8 << 10;
/// Largest header block.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// Most headers.
pub(super) const HEADERS_MAX: usize = 100;

/// Surrounds every request.
pub(crate) async fn frame(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = Uuid::from_u128(app.shared.env.next_id()).to_string();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = match admit(&app, request) {
        Ok(request) => AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| after_panic(&*panic)),
        Err(error) => error.into_response(),
    };
    finish(&app, &method, &path, &id, response)
}

/// Everything that is checked before a request is looked at.
fn admit(app: &App, request: Request) -> Result<Request, ApiError> {
    check_size(request.uri(), request.headers())?;
    let (mut parts, body) = request.into_parts();
    app.hosts.check(&parts)?;
    parts.extensions.insert(App::clone(app));
    Ok(Request::from_parts(parts, body))
}

fn check_size(uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let query_bytes = uri.query().map_or(0, |query| query.len() + 1);
    if uri.path().len() + query_bytes > URI_BYTES_MAX {
        let message = "The address is longer than 8 KiB.";
        return Err(ApiError::new(
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            message,
        ));
    }
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if bytes > HEADER_BYTES_MAX || headers.len() > HEADERS_MAX {
        let message = "There are more than 100 headers, or more than 32 KiB of them.";
        return Err(ApiError::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers_too_large",
            message,
        ));
    }
    Ok(())
}

/// A panic costs its own request and nothing else. Its text goes to the log only.
fn after_panic(panic: &(dyn Any + Send)) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "something that is not text".to_owned());
    ApiError::internal(format!("a handler panicked with {text:?}")).into_response()
}

fn finish(app: &App, method: &Method, path: &str, id: &str, response: Response) -> Response {
    let status = response.status();
    let is_api = headers::is_api(path);
    let mut response = if is_api || response.headers().get(http::header::CONTENT_TYPE).is_none() {
        error::render(response, id)
    } else {
        response
    };
    headers::protect(response.headers_mut(), is_api, app.is_https);
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert("x-request-id", value);
    }
    if status.is_server_error() {
        tracing::warn!(%method, path, status = status.as_u16(), request_id = id, "answered");
    } else {
        tracing::debug!(%method, path, status = status.as_u16(), request_id = id, "answered");
    }
    response
}
