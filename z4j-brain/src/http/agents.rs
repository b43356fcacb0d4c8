//! Agents.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use super::dto::agent::{Agent, MintedAgent, NewAgent};
use super::dto::page::List;
use super::error::ApiError;
use super::extract::{PathId, Write, id_of};
use super::gate::Scope;
use super::state::App;
use crate::ops::agents::{self, Minted};

/// The agents of a project, revoked ones last.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/agents", tag = "agents",
    params(("slug" = String, Path)),
    responses((status = 200, description = "Agents by name", body = List<Agent>)))]
pub(crate) async fn list(
    State(app): State<App>,
    scope: Scope,
) -> Result<Json<List<Agent>>, ApiError> {
    let rows = app.shared.store.agents(scope.project.id).await?;
    Ok(Json(List::whole(
        rows.into_iter().map(Agent::from).collect(),
    )))
}

/// Mint an agent. Its secrets are in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/projects/{slug}/agents", tag = "agents", request_body = NewAgent,
    params(("slug" = String, Path)),
    responses((status = 201, description = "Minted", body = MintedAgent)))]
pub(crate) async fn mint(
    State(app): State<App>,
    scope: Scope,
    Write(body): Write<NewAgent>,
) -> Result<(StatusCode, Json<MintedAgent>), ApiError> {
    let minted = agents::mint(
        &app.shared,
        &scope.requester(),
        scope.project.id,
        &body.name,
    )
    .await?;
    Ok((StatusCode::CREATED, Json(shown(minted))))
}

/// Give an agent a new token. The old one works for another day.
#[utoipa::path(post, path = "/api/v1/projects/{slug}/agents/{id}/rotate", tag = "agents",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 200, description = "Rotated", body = MintedAgent)))]
pub(crate) async fn rotate(
    State(app): State<App>,
    scope: Scope,
    PathId(id): PathId,
) -> Result<Json<MintedAgent>, ApiError> {
    let id = id_of(&id)?;
    let minted = agents::rotate(&app.shared, &scope.requester(), scope.project.id, id).await?;
    Ok(Json(shown(minted)))
}

/// Revoke an agent and close its connections.
#[utoipa::path(delete, path = "/api/v1/projects/{slug}/agents/{id}", tag = "agents",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 204, description = "Revoked")))]
pub(crate) async fn revoke(
    State(app): State<App>,
    scope: Scope,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    let id = id_of(&id)?;
    agents::revoke(&app.shared, &scope.requester(), scope.project.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(minted: Minted) -> MintedAgent {
    MintedAgent {
        agent: Agent::from(minted.agent),
        token: minted.token,
        hmac_secret: minted.hmac_secret,
    }
}
