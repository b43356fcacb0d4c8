//! Making the first admin.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::auth::{signed_in, user_agent};
use super::dto::people::{CompleteSetup, SetupStatus, SignedIn, User};
use super::error::ApiError;
use super::extract::{From, SmallWrite};
use super::state::App;
use crate::access::AddressKey;
use crate::ops::people::{self, NewPerson, SignIn};
use crate::ops::{OpError, Requester, setup};

/// Whether the first admin is still to be made.
#[utoipa::path(get, path = "/api/v1/setup/status", tag = "people",
    responses((status = 200, description = "Whether set-up is needed", body = SetupStatus)))]
pub(crate) async fn status(State(app): State<App>) -> Result<Json<SetupStatus>, ApiError> {
    let needed = !app.shared.store.has_users().await?;
    Ok(Json(SetupStatus { needed }))
}

/// Make the first admin and the project `default`, and sign in.
#[utoipa::path(post, path = "/api/v1/setup/complete", tag = "people", request_body = CompleteSetup,
    responses((status = 201, description = "Made and signed in", body = SignedIn)))]
pub(crate) async fn complete(
    State(app): State<App>,
    From(address): From,
    headers: HeaderMap,
    SmallWrite(body): SmallWrite<CompleteSetup>,
) -> Result<Response, ApiError> {
    app.throttles
        .setup(AddressKey::of(address))
        .map_err(|retry_after| OpError::TooMany { retry_after })?;
    let origin = address.map(|address| address.to_string());
    let requester = Requester {
        user: None,
        name: String::new(),
        origin: origin.clone(),
    };
    let person = NewPerson {
        email: body.email.clone(),
        password: body.password.clone(),
        display_name: body.display_name,
        is_admin: true,
        membership: None,
    };
    let user = setup::complete(&app.shared, &app.gate, &requester, &body.token, person).await?;
    let request = SignIn {
        email: &body.email,
        password: &body.password,
        remember: false,
        origin,
        user_agent: user_agent(&headers),
    };
    let token = people::start_session(&app.shared, &user, &request)
        .await?
        .ok_or(OpError::BadCredentials)?;
    Ok(signed_in(
        &app,
        StatusCode::CREATED,
        User::from(&user),
        &token,
        false,
    ))
}
