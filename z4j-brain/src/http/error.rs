//! The one place where errors become a status and a body.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use z4j_core::store::{StoreError, StoreErrorKind};

use crate::access::{AccessError, sentence};
use crate::ops::OpError;
use crate::ops::commands::IssueError;

/// The answer of every route that does not do what it was asked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody<'a> {
    /// Stable word to act on.
    error: &'a str,
    /// One sentence for a person.
    message: &'a str,
    /// Names this answer in the log.
    request_id: &'a str,
    /// More, depending on the error.
    #[schema(value_type = Object)]
    details: &'a Value,
}

/// An answer that is not what was asked for. The body is written when the request id is at hand: [`render`].
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Value,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What [`render`] finds in the response's extensions.
#[derive(Clone, Debug)]
struct Told {
    code: &'static str,
    message: Cow<'static, str>,
    details: Value,
}

impl ApiError {
    /// An answer with a stable word and a sentence.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: json!({}),
            retry_after: None,
            source: None,
        }
    }

    /// The same with details, a JSON object.
    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    pub(super) fn with_retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.details = json!({ "retry_after_seconds": seconds });
        self.retry_after = Some(Duration::from_secs(seconds));
        self
    }

    fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same for what is not there and for what the caller must not know of.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.")
    }

    /// Nobody is signed in.
    pub(crate) fn signed_out() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "signed_out", "Sign in first.")
    }

    /// The role does not hold the permission.
    pub(crate) fn forbidden(permission: &'static str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Your role in this project does not allow this.",
        )
        .with_details(json!({ "permission": permission }))
    }

    /// Something in the query cannot be used.
    pub(crate) fn invalid_query(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_query", message)
    }

    /// A member of the body cannot be used.
    pub(crate) fn invalid_member(
        member: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", message)
            .with_details(json!({ "members": [member] }))
    }

    /// Something went wrong that the caller cannot help. The log says what.
    pub(crate) fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let message = "Something went wrong in the brain. Its log says more under this request id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).with_source(source)
    }

    /// Too much is being asked at once.
    pub(crate) fn too_many(code: &'static str, message: &'static str, wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, message).with_retry_after(wait)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(source) = &self.source {
            log(self.status, self.code, &**source);
        }
        let mut response = self.status.into_response();
        if let Some(wait) = self.retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        response.extensions_mut().insert(Told {
            code: self.code,
            message: self.message,
            details: self.details,
        });
        response
    }
}

/// Prints an error and everything it came from.
fn log(status: StatusCode, code: &str, error: &(dyn Error + Send + Sync + 'static)) {
    let mut chain = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        chain.push_str(": ");
        chain.push_str(&source.to_string());
        next = source.source();
    }
    tracing::error!(
        status = status.as_u16(),
        code,
        error = chain,
        "a request failed"
    );
}

/// Writes the body of an error, whoever made it: one of ours, the router, a limit, a caught panic.
pub(crate) fn render(response: Response, request_id: &str) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let told = parts
        .extensions
        .remove::<Told>()
        .unwrap_or_else(|| usual(status));
    let body = ErrorBody {
        error: told.code,
        message: &told.message,
        request_id,
        details: &told.details,
    };
    let text = serde_json::to_vec(&body).unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    if status != StatusCode::METHOD_NOT_ALLOWED {
        parts.headers.remove(ALLOW);
    }
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, axum::body::Body::from(text))
}

/// What the router and its layers mean by a bare status.
fn usual(status: StatusCode) -> Told {
    let (code, message) = match status {
        StatusCode::NOT_FOUND => ("not_found", "There is nothing here."),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "This path does not take this method.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => (
            "body_too_large",
            "The body is larger than this route takes.",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "unsupported_media_type",
            "The body must be application/json.",
        ),
        StatusCode::BAD_REQUEST => ("bad_request", "The request cannot be read."),
        _ if status.is_client_error() => ("refused", "The request was refused."),
        _ => (
            "internal",
            "Something went wrong in the brain. Its log says more under this request id.",
        ),
    };
    Told {
        code,
        message: Cow::Borrowed(message),
        details: json!({}),
    }
}

impl From<StoreError> for ApiError {
    fn from(fault: StoreError) -> Self {
        match fault.kind() {
            StoreErrorKind::InvalidQuery => {
                Self::invalid_query("The cursor does not belong to this list.")
            }
            StoreErrorKind::Unavailable | StoreErrorKind::Full | StoreErrorKind::ReadOnly => {
                let message =
                    "The database does not answer now. Whether a write was done is not known.";
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store_unavailable",
                    message,
                )
                .with_retry_after(Duration::from_secs(5))
                .with_source(fault)
            }
            _ => Self::internal(fault),
        }
    }
}

impl From<AccessError> for ApiError {
    fn from(fault: AccessError) -> Self {
        match fault.into_store_error() {
            Ok(fault) => fault.into(),
            Err(fault) => Self::internal(fault),
        }
    }
}

impl From<OpError> for ApiError {
    fn from(error: OpError) -> Self {
        match error {
            OpError::NotFound(_) => Self::not_found(),
            OpError::Taken("name") => Self::new(
                StatusCode::CONFLICT,
                "name_taken",
                "Another one has this name.",
            ),
            OpError::Taken("slug") => Self::new(
                StatusCode::CONFLICT,
                "slug_taken",
                "Another project has this slug.",
            ),
            OpError::Taken(_) => {
                Self::new(StatusCode::CONFLICT, "taken", "Somebody has this address.")
            }
            OpError::Invalid { field, sentence } => Self::invalid_member(field, sentence),
            OpError::WeakPassword(reason) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "weak_password",
                sentence(reason),
            )
            .with_details(json!({ "reason": reason })),
            OpError::SetupTokenInvalid => {
                let message = "This setup link is wrong, used or out of date. The brain prints a new one when it starts.";
                Self::new(StatusCode::FORBIDDEN, "setup_token_invalid", message)
            }
            OpError::SetupDone => Self::new(
                StatusCode::CONFLICT,
                "setup_done",
                "The first admin was made already. Sign in.",
            ),
            OpError::BadCredentials => Self::new(
                StatusCode::UNAUTHORIZED,
                "bad_credentials",
                "The address or the password is wrong.",
            ),
            OpError::TooMany { retry_after } => Self::too_many(
                "too_many_attempts",
                "Too many tries. Wait a little.",
                retry_after,
            ),
            OpError::Busy => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many people sign in at this moment.",
            )
            .with_retry_after(Duration::from_secs(2)),
            OpError::Hash(fault) => Self::internal(fault),
            OpError::Store(fault) => fault.into(),
        }
    }
}

impl From<IssueError> for ApiError {
    fn from(error: IssueError) -> Self {
        let message = error.to_string();
        match error {
            IssueError::NoAgent(_) => Self::new(StatusCode::CONFLICT, "no_agent", message),
            IssueError::TaskNotFound => Self::new(StatusCode::NOT_FOUND, "task_not_found", message),
            IssueError::TaskFinished(state) => {
                Self::new(StatusCode::CONFLICT, "task_finished", message)
                    .with_details(json!({ "state": state.as_str() }))
            }
            IssueError::KeyReused => {
                Self::new(StatusCode::CONFLICT, "idempotency_key_reused", message)
            }
            IssueError::SecretInArguments => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "secret_in_arguments",
                message,
            ),
            IssueError::Store(fault) => fault.into(),
        }
    }
}
