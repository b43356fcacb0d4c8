//! Workers and queues.

use axum::Json;
use axum::extract::State;

use super::dto::fleet::{Queue, Worker};
use super::dto::page::List;
use super::error::ApiError;
use super::extract::PathId;
use super::gate::Scope;
use super::state::App;

/// The workers of a project.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/workers", tag = "fleet",
    params(("slug" = String, Path)),
    responses((status = 200, description = "Workers by name", body = List<Worker>)))]
pub(crate) async fn workers(
    State(app): State<App>,
    scope: Scope,
) -> Result<Json<List<Worker>>, ApiError> {
    let rows = app.shared.store.workers(scope.project.id).await?;
    Ok(Json(List::whole(
        rows.into_iter().map(Worker::listed).collect(),
    )))
}

/// One worker with what it said of itself.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/workers/{id}", tag = "fleet",
    params(("slug" = String, Path), ("id" = String, Path, description = "`engine:name`")),
    responses((status = 200, description = "The worker", body = Worker)))]
pub(crate) async fn worker(
    State(app): State<App>,
    scope: Scope,
    PathId(id): PathId,
) -> Result<Json<Worker>, ApiError> {
    let (engine, name) = id.split_once(':').ok_or_else(ApiError::not_found)?;
    let rows = app.shared.store.workers(scope.project.id).await?;
    let row = rows
        .into_iter()
        .find(|row| row.engine == engine && row.name == name);
    Ok(Json(Worker::detailed(row.ok_or_else(ApiError::not_found)?)))
}

/// The queues of a project.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/queues", tag = "fleet",
    params(("slug" = String, Path)),
    responses((status = 200, description = "Queues by name", body = List<Queue>)))]
pub(crate) async fn queues(
    State(app): State<App>,
    scope: Scope,
) -> Result<Json<List<Queue>>, ApiError> {
    let rows = app.shared.store.queues(scope.project.id).await?;
    Ok(Json(List::whole(
        rows.into_iter().map(Queue::from).collect(),
    )))
}
