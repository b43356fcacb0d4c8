//! Signing in and out, and who one is.

use axum::Json;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::header::{SET_COOKIE, USER_AGENT};
use http::{HeaderMap, StatusCode};
use z4j_core::policy::{Permission, Role, permissions_of};

use super::dto::people::{Login, Me, Membership, ServerInfo, SignedIn, User};
use super::dto::project::ProjectRef;
use super::error::ApiError;
use super::extract::{From, SmallWrite};
use super::gate::{Caller, requester};
use super::state::{App, Web};
use crate::access::{AddressKey, SessionToken, cookie, removal_cookie, token_of};
use crate::ops::people::{self, SignIn, canonical_email};
use crate::ops::{OpError, projects};

/// Sign in with a password.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "people", request_body = Login,
    responses((status = 200, description = "Signed in; the session is in the cookie", body = SignedIn)))]
pub(crate) async fn login(
    State(app): State<App>,
    From(address): From,
    headers: HeaderMap,
    SmallWrite(body): SmallWrite<Login>,
) -> Result<Response, ApiError> {
    let account = canonical_email(&body.email);
    app.throttles
        .sign_in(AddressKey::of(address), &account)
        .map_err(|retry_after| OpError::TooMany { retry_after })?;
    let request = SignIn {
        email: &body.email,
        password: &body.password,
        remember: body.remember,
        origin: address.map(|address| address.to_string()),
        user_agent: user_agent(&headers),
    };
    let (user, token) = people::sign_in(&app.shared, &app.gate, &request).await?;
    end_earlier(&app, &headers, request.origin).await?;
    let user = User::from(&user);
    Ok(signed_in(&app, StatusCode::OK, user, &token, body.remember))
}

/// Ends the session that the browser held until now: it forgets the token, so nobody could sign out of it any more.
async fn end_earlier(
    app: &Web,
    headers: &HeaderMap,
    origin: Option<String>,
) -> Result<(), ApiError> {
    let Some(token) = token_of(headers, app.is_https) else {
        return Ok(());
    };
    let now = app.shared.env.now();
    let Some(earlier) = app.shared.store.session(&token.hash(), now).await? else {
        return Ok(());
    };
    let requester = people::requester_of(&earlier.user, origin);
    people::sign_out(&app.shared, &requester, earlier.id).await?;
    app.rights_changed();
    Ok(())
}

/// Sign out.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "people",
    responses((status = 204, description = "Signed out")))]
pub(crate) async fn logout(
    State(app): State<App>,
    From(address): From,
    Caller(principal): Caller,
) -> Result<Response, ApiError> {
    let requester = requester(&principal, address.map(|address| address.to_string()));
    if let Some(session) = principal.session() {
        people::sign_out(&app.shared, &requester, session).await?;
        app.rights_changed();
    }
    let forget = AppendHeaders([(SET_COOKIE, removal_cookie(app.is_https))]);
    Ok((StatusCode::NO_CONTENT, forget).into_response())
}

/// Who is signed in, and what they may do where.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "people",
    responses((status = 200, description = "The caller", body = Me)))]
pub(crate) async fn me(
    State(app): State<App>,
    Caller(principal): Caller,
) -> Result<Json<Me>, ApiError> {
    let projects = projects::of(&app.shared, &principal).await?;
    let memberships = projects.iter().filter_map(|project| {
        let role = principal.role_in(&project.slug)?;
        Some(Membership {
            project: ProjectRef::from(project),
            role: role.as_str().to_owned(),
            actions: actions_of(role),
        })
    });
    let (created_at, last_login_at) = principal.times();
    Ok(Json(Me {
        memberships: memberships.collect(),
        user: User {
            id: principal.user_id(),
            email: principal.email().to_owned(),
            display_name: principal.name().to_owned(),
            is_admin: principal.is_instance_admin(),
            created_at,
            last_login_at,
        },
        server: ServerInfo {
            version: env!("CARGO_PKG_VERSION"),
            now: app.shared.env.now(),
        },
    }))
}

/// The answer to somebody who has a new session. Nothing of an earlier cookie is taken over.
pub(super) fn signed_in(
    app: &Web,
    status: StatusCode,
    user: User,
    token: &SessionToken,
    remember: bool,
) -> Response {
    let sign_in = &app.shared.config.sign_in;
    let lasts = remember.then(|| i64::try_from(sign_in.remember.as_secs()).unwrap_or(i64::MAX));
    let cookie = AppendHeaders([(SET_COOKIE, cookie(token, app.is_https, lasts))]);
    (status, cookie, Json(SignedIn { user })).into_response()
}

/// The browser's own description.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
}

fn actions_of(role: Role) -> Vec<&'static str> {
    permissions_of(role)
        .into_iter()
        .map(Permission::as_str)
        .collect()
}
