//! Commands.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use z4j_core::command::CommandState;
use z4j_core::id::TaskKey;
use z4j_core::store::CommandFilter;

use super::dto::command::{CancelTask, Command, CommandQuery, RetryTask, When};
use super::dto::page::List;
use super::error::ApiError;
use super::extract::{PathId, Query, Write, id_of, list_of, page_of};
use super::gate::Scope;
use super::state::App;
use crate::ops::commands::{self, Intent, IssueRequest, RetryOptions};

const LIST: &str = "commands";
/// Longest name that a caller may give a write.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 200;

/// Run a task again.
#[utoipa::path(post, path = "/api/v1/projects/{slug}/commands/retry-task", tag = "commands",
    request_body = RetryTask, params(("slug" = String, Path)),
    responses((status = 202, description = "Issued", body = Command)))]
pub(crate) async fn retry_task(
    State(app): State<App>,
    scope: Scope,
    Write(body): Write<RetryTask>,
) -> Result<(StatusCode, Json<Command>), ApiError> {
    let request = IssueRequest {
        task: TaskKey::new(body.engine, body.task_id),
        intent: Intent::Retry(RetryOptions {
            override_args: body.override_args,
            override_kwargs: body.override_kwargs,
            eta_seconds: body.eta_seconds,
        }),
        agent_id: body.agent_id,
        idempotency_key: body.idempotency_key,
    };
    issue(&app, &scope, request).await
}

/// Cancel a task.
#[utoipa::path(post, path = "/api/v1/projects/{slug}/commands/cancel-task", tag = "commands",
    request_body = CancelTask, params(("slug" = String, Path)),
    responses((status = 202, description = "Issued", body = Command)))]
pub(crate) async fn cancel_task(
    State(app): State<App>,
    scope: Scope,
    Write(body): Write<CancelTask>,
) -> Result<(StatusCode, Json<Command>), ApiError> {
    let when = match body.when {
        When::Now => commands::When::Now,
        When::NextConnect => commands::When::NextConnect,
    };
    let request = IssueRequest {
        task: TaskKey::new(body.engine, body.task_id),
        intent: Intent::Cancel { when },
        agent_id: body.agent_id,
        idempotency_key: body.idempotency_key,
    };
    issue(&app, &scope, request).await
}

async fn issue(
    app: &App,
    scope: &Scope,
    request: IssueRequest,
) -> Result<(StatusCode, Json<Command>), ApiError> {
    let key_bytes = request.idempotency_key.as_ref().map_or(1, String::len);
    if key_bytes == 0 || key_bytes > IDEMPOTENCY_KEY_BYTES_MAX {
        let message = "The idempotency key must have 1 to 200 bytes.";
        return Err(ApiError::invalid_member("idempotency_key", message));
    }
    let row = commands::issue(&app.shared, &scope.requester(), scope.project.id, request).await?;
    Ok((StatusCode::ACCEPTED, Json(row.into())))
}

/// The commands of a project, latest first.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/commands", tag = "commands",
    params(("slug" = String, Path), CommandQuery),
    responses((status = 200, description = "A page of commands", body = List<Command>)))]
pub(crate) async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<CommandQuery>,
) -> Result<Json<List<Command>>, ApiError> {
    let page = page_of(&app, &scope, LIST, query.cursor.as_deref(), query.limit)?;
    let filter = CommandFilter {
        state: query
            .status
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(state_of)
            .transpose()?,
        action: query.action.filter(|text| !text.is_empty()),
        target_id: query.target_id.filter(|text| !text.is_empty()),
    };
    let page = app
        .shared
        .store
        .commands(scope.project.id, &filter, page)
        .await?;
    Ok(Json(list_of(&app, &scope, LIST, page, Command::from)))
}

/// One command.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/commands/{id}", tag = "commands",
    params(("slug" = String, Path), ("id" = String, Path)),
    responses((status = 200, description = "The command", body = Command)))]
pub(crate) async fn get(
    State(app): State<App>,
    scope: Scope,
    PathId(id): PathId,
) -> Result<Json<Command>, ApiError> {
    let row = app
        .shared
        .store
        .command(scope.project.id, id_of(&id)?)
        .await?;
    Ok(Json(row.ok_or_else(ApiError::not_found)?.into()))
}

fn state_of(status: &str) -> Result<CommandState, ApiError> {
    let unknown = || ApiError::invalid_query(format!("There is no command status {status:?}."));
    CommandState::ALL
        .into_iter()
        .find(|state| state.as_str() == status)
        .ok_or_else(unknown)
}
