//! Projects.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use super::dto::page::List;
use super::dto::project::{NewProject, Project};
use super::error::ApiError;
use super::extract::{From, Write};
use super::gate::{Caller, Scope, requester};
use super::state::App;
use crate::ops::projects;

/// The projects that the caller may see.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects",
    responses((status = 200, description = "Projects by slug", body = List<Project>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(principal): Caller,
) -> Result<Json<List<Project>>, ApiError> {
    let rows = projects::of(&app.shared, &principal).await?;
    let seen = rows.iter().filter_map(|row| {
        let role = principal.role_in(&row.slug)?;
        Some(Project::new(row, role.as_str()))
    });
    Ok(Json(List::whole(seen.collect())))
}

/// Create a project.
#[utoipa::path(post, path = "/api/v1/projects", tag = "projects", request_body = NewProject,
    responses((status = 201, description = "Created", body = Project)))]
pub(crate) async fn create(
    State(app): State<App>,
    From(address): From,
    Caller(principal): Caller,
    Write(body): Write<NewProject>,
) -> Result<(StatusCode, Json<Project>), ApiError> {
    let requester = requester(&principal, address.map(|address| address.to_string()));
    let row = projects::create(&app.shared, &requester, &body.slug, body.name.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(Project::new(&row, "admin"))))
}

/// One project.
#[utoipa::path(get, path = "/api/v1/projects/{slug}", tag = "projects",
    params(("slug" = String, Path)),
    responses((status = 200, description = "The project", body = Project)))]
pub(crate) async fn get(scope: Scope) -> Json<Project> {
    Json(Project::new(&scope.project, scope.role.as_str()))
}
