//! What machines ask.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::json;
use z4j_core::keys::same_secret;

use super::state::App;

/// The text format that scrapers ask for.
const METRICS_TYPE: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The process answers.
pub(crate) async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// The brain runs and the store takes writes.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let fault = app.probe.fault(&app.shared).await;
    let mut reasons = app.shared.health.reasons();
    if fault.is_some() && reasons.is_empty() {
        reasons.push("The database does not take writes.".to_owned());
    }
    let warnings = app.shared.health.warnings();
    let (status, word) = if reasons.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    let body = json!({ "status": word, "reasons": reasons, "warnings": warnings });
    (status, Json(body)).into_response()
}

/// Counters for a scraper that holds the token.
pub(crate) async fn metrics(State(app): State<App>, request: Request) -> Response {
    let expected = app.shared.config.server.metrics_token.as_ref();
    let Some(expected) = expected else {
        return plain(
            StatusCode::NOT_FOUND,
            "Metrics are closed: no token is set.\n",
        );
    };
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !same_secret(given.as_bytes(), expected.expose_secret().as_bytes()) {
        let mut response = plain(
            StatusCode::UNAUTHORIZED,
            "The bearer token is missing or wrong.\n",
        );
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    let links = &app.shared.links;
    let text = app
        .shared
        .metrics
        .render(links.online_count(), links.link_count());
    ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}
