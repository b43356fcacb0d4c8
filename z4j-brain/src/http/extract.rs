//! Reading bodies, queries and path members, with errors of our own shape.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::json;
use utoipa::PartialSchema;
use utoipa::openapi::{RefOr, Schema};
use z4j_core::id::TaskKey;
use z4j_core::store::{Page, PageRequest};

use super::dto::page::List;
use super::error::ApiError;
use super::gate::Scope;
use super::peer::address_of;
use super::state::Web;

/// Largest body of a write (`reliability.md` §6.6).
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// Largest body before anybody is known.
const SIGN_IN_BODY_BYTES_MAX: usize = 8 << 10;
/// How long a body may take to arrive.
const BODY_WAIT: Duration = Duration::from_secs(30);
const PAGE_ROWS_DEFAULT: u32 = 50;
const PAGE_ROWS_MAX: u32 = 500;

/// A JSON body of a person that is known.
#[derive(Debug)]
pub(crate) struct Write<T>(pub(crate) T);

/// A JSON body of anybody.
#[derive(Debug)]
pub(crate) struct SmallWrite<T>(pub(crate) T);

/// The query of a list.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From(pub(crate) Option<std::net::IpAddr>);

impl<S, T> FromRequest<S> for Write<T>
where
    S: Send + Sync,
    T: DeserializeOwned + PartialSchema,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_body(request, BODY_BYTES_MAX).await.map(Self)
    }
}

impl<S, T> FromRequest<S> for SmallWrite<T>
where
    S: Send + Sync,
    T: DeserializeOwned + PartialSchema,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_body(request, SIGN_IN_BODY_BYTES_MAX).await.map(Self)
    }
}

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum_extra::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|query| Self(query.0))
            .map_err(|fault| {
                let text = fault.body_text();
                let text = text
                    .strip_prefix("Failed to deserialize query string: ")
                    .unwrap_or(&text);
                ApiError::invalid_query(format!("The query cannot be used: {text}."))
            })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(address_of(&parts.extensions)))
    }
}

/// The `id` of a path.
#[derive(Debug)]
pub(crate) struct PathId(pub(crate) String);

/// The task of a path.
#[derive(Debug)]
pub(crate) struct PathTask(pub(crate) TaskKey);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path_member(parts, state, "id").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathTask {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let engine = path_member(parts, state, "engine").await?;
        let task_id = path_member(parts, state, "task_id").await?;
        Ok(Self(TaskKey::new(engine, task_id)))
    }
}

/// What is no text names nothing that is there.
async fn path_member<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &str,
) -> Result<String, ApiError> {
    let params = RawPathParams::from_request_parts(parts, state).await;
    let params = params.map_err(|_| ApiError::not_found())?;
    let found = params.iter().find(|(found, _)| *found == name);
    found
        .map(|(_, value)| value.to_owned())
        .ok_or_else(ApiError::not_found)
}

async fn read_body<T: DeserializeOwned + PartialSchema>(
    request: Request,
    max: usize,
) -> Result<T, ApiError> {
    check_media_type(request.headers())?;
    let bytes = arrived(request.into_body(), max).await?;
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        // A sequence would be taken for a body whose members come in order.
        return Err(not_json(&bytes).unwrap_or_else(|| invalid_body("it must be an object")));
    }
    serde_json::from_slice(&bytes).map_err(|fault| explain::<T>(&bytes, &fault))
}

/// The whole body, once it is there.
///
/// # Errors
/// It is larger than `max`, breaks off, or takes too long.
pub(super) async fn arrived(body: Body, max: usize) -> Result<Bytes, ApiError> {
    let arrived = tokio::time::timeout(BODY_WAIT, collect(body, max)).await;
    arrived.map_err(|_| {
        let message = "The body did not arrive in time.";
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message)
    })?
}

/// Where a text stops being JSON; `None` when it is JSON.
fn not_json(bytes: &[u8]) -> Option<ApiError> {
    let fault = serde_json::from_slice::<serde::de::IgnoredAny>(bytes).err()?;
    let message = format!(
        "The body is not JSON: line {}, column {}.",
        fault.line(),
        fault.column()
    );
    Some(ApiError::new(
        StatusCode::BAD_REQUEST,
        "invalid_json",
        message,
    ))
}

fn invalid_body(why: &str) -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_body",
        format!("The body does not fit: {why}."),
    )
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    let is_json = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    if is_json && !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    let message = "The body must be application/json without content encoding.";
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        message,
    ))
}

async fn collect(body: Body, max: usize) -> Result<Bytes, ApiError> {
    let read = Limited::new(body, max).collect().await;
    read.map(http_body_util::Collected::to_bytes)
        .map_err(|fault| {
            if fault.downcast_ref::<LengthLimitError>().is_some() {
                let message = "The body is larger than this route takes.";
                return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
                    .with_details(json!({ "bytes_max": max }));
            }
            ApiError::new(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "The body broke off.",
            )
        })
}

/// Says what is wrong with a body: not JSON, members nobody knows, or values that do not fit.
fn explain<T: PartialSchema>(bytes: &[u8], fault: &serde_json::Error) -> ApiError {
    if let Some(error) = not_json(bytes) {
        return error;
    }
    let known = members_of::<T>();
    let given: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let given = given.as_object();
    let unknown: Vec<&String> = given
        .into_iter()
        .flat_map(|given| given.keys())
        .filter(|name| !known.contains(name))
        .collect();
    if !unknown.is_empty() {
        let message = "The body has members that this route does not know.";
        return ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_field", message)
            .with_details(json!({ "members": unknown, "known": known }));
    }
    invalid_body(&fault.to_string())
}

/// The members that a body may have, from the same description as the document.
fn members_of<T: PartialSchema>() -> Vec<String> {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object.properties.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The page that a list's query asks for.
///
/// # Errors
/// 400 for a limit out of range and for a cursor of another list.
pub(crate) fn page_of(
    app: &Web,
    scope: &Scope,
    list: &str,
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<PageRequest, ApiError> {
    let limit = limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if limit == 0 || limit > PAGE_ROWS_MAX {
        return Err(ApiError::invalid_query("limit must be from 1 to 500."));
    }
    let after = cursor
        .map(|cursor| app.cursors.open(list, scope.project.id, cursor))
        .transpose()?;
    Ok(PageRequest::first(limit).after(after))
}

/// A page as callers see it.
pub(crate) fn list_of<R, T>(
    app: &Web,
    scope: &Scope,
    list: &str,
    page: Page<R>,
    render: impl Fn(R) -> T,
) -> List<T> {
    let next = page.next.as_ref();
    List {
        next_cursor: next.map(|cursor| app.cursors.seal(list, scope.project.id, cursor)),
        items: page.items.into_iter().map(render).collect(),
    }
}

/// An id in a path. What is no id is nothing that is there.
///
/// # Errors
/// 404.
pub(crate) fn id_of<I: std::str::FromStr>(text: &str) -> Result<I, ApiError> {
    text.parse().map_err(|_| ApiError::not_found())
}
