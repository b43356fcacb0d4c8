//! Tasks.

use axum::Json;
use axum::extract::State;
use z4j_core::store::{PageRequest, TaskFilter, TaskSort};
use z4j_core::task::TaskState;

use super::dto::page::List;
use super::dto::task::{Task, TaskEvent, TaskFacets, TaskQuery, Tree};
use super::error::ApiError;
use super::extract::{PathTask, Query, list_of, page_of};
use super::gate::Scope;
use super::state::App;

/// Values in each filter menu.
const FACET_VALUES_MAX: u32 = 100;
/// Tasks shown of one tree.
const TREE_NODES_MAX: u32 = 500;
/// Events shown of one task. A task with more has been retried hundreds of times.
const EVENTS_MAX: u32 = 500;
/// Longest text of a filter (`reliability.md` §6.6).
const FILTER_BYTES_MAX: usize = 2 << 10;

/// The tasks of a project.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/tasks", tag = "tasks",
    params(("slug" = String, Path), TaskQuery),
    responses((status = 200, description = "A page of tasks, without payloads", body = List<Task>)))]
pub(crate) async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<TaskQuery>,
) -> Result<Json<List<Task>>, ApiError> {
    let sort = sort_of(query.sort.as_deref())?;
    // A cursor is good for one order only.
    let name = format!("tasks/{sort:?}");
    let page = page_of(&app, &scope, &name, query.cursor.as_deref(), query.limit)?;
    let filter = filter_of(query)?;
    let page = app
        .shared
        .store
        .tasks(scope.project.id, &filter, sort, page)
        .await?;
    Ok(Json(list_of(&app, &scope, &name, page, Task::from)))
}

/// Values to filter by.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/tasks/facets", tag = "tasks",
    params(("slug" = String, Path)),
    responses((status = 200, description = "The most frequent values", body = TaskFacets)))]
pub(crate) async fn facets(
    State(app): State<App>,
    scope: Scope,
) -> Result<Json<TaskFacets>, ApiError> {
    let facets = app
        .shared
        .store
        .facets(scope.project.id, FACET_VALUES_MAX)
        .await?;
    let states = app.shared.store.state_counts(scope.project.id).await?;
    Ok(Json(TaskFacets::new(facets, &states)))
}

/// One task with its payloads.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/tasks/{engine}/{task_id}", tag = "tasks",
    params(("slug" = String, Path), ("engine" = String, Path), ("task_id" = String, Path)),
    responses((status = 200, description = "The task", body = Task)))]
pub(crate) async fn get(
    State(app): State<App>,
    scope: Scope,
    PathTask(key): PathTask,
) -> Result<Json<Task>, ApiError> {
    let task = app.shared.store.task(scope.project.id, &key).await?;
    Ok(Json(task.ok_or_else(ApiError::not_found)?.into()))
}

/// The events of one task, oldest first.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/tasks/{engine}/{task_id}/events", tag = "tasks",
    params(("slug" = String, Path), ("engine" = String, Path), ("task_id" = String, Path)),
    responses((status = 200, description = "Its events", body = List<TaskEvent>)))]
pub(crate) async fn events(
    State(app): State<App>,
    scope: Scope,
    PathTask(key): PathTask,
) -> Result<Json<List<TaskEvent>>, ApiError> {
    let page = PageRequest::first(EVENTS_MAX);
    let page = app
        .shared
        .store
        .task_events(scope.project.id, &key, page)
        .await?;
    Ok(Json(List::whole(
        page.items.into_iter().map(TaskEvent::from).collect(),
    )))
}

/// The tasks that share a root with one task.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/tasks/{engine}/{task_id}/tree", tag = "tasks",
    params(("slug" = String, Path), ("engine" = String, Path), ("task_id" = String, Path)),
    responses((status = 200, description = "Its tree", body = Tree)))]
pub(crate) async fn tree(
    State(app): State<App>,
    scope: Scope,
    PathTask(key): PathTask,
) -> Result<Json<Tree>, ApiError> {
    let tree = app
        .shared
        .store
        .task_tree(scope.project.id, &key, TREE_NODES_MAX)
        .await?;
    Ok(Json(tree.ok_or_else(ApiError::not_found)?.into()))
}

fn filter_of(query: TaskQuery) -> Result<TaskFilter, ApiError> {
    let texts = [
        &query.name,
        &query.queue,
        &query.worker,
        &query.engine,
        &query.search,
    ];
    if texts
        .into_iter()
        .flatten()
        .any(|text| text.len() > FILTER_BYTES_MAX)
    {
        return Err(ApiError::invalid_query("A filter is longer than 2 KiB."));
    }
    let states = query.state.iter().map(|state| {
        let unknown = || ApiError::invalid_query(format!("There is no task state {state:?}."));
        state.parse::<TaskState>().map_err(|_| unknown())
    });
    Ok(TaskFilter {
        states: states.collect::<Result<_, _>>()?,
        name: given(query.name),
        queue: given(query.queue),
        worker: given(query.worker),
        engine: given(query.engine),
        search: given(query.search),
        since: query.since,
        until: query.until,
    })
}

/// An empty text in a form field is no filter.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn sort_of(sort: Option<&str>) -> Result<TaskSort, ApiError> {
    match sort.unwrap_or("-updated_at") {
        "-updated_at" => Ok(TaskSort::UpdatedDesc),
        "updated_at" => Ok(TaskSort::UpdatedAsc),
        "-received_at" => Ok(TaskSort::ReceivedDesc),
        "-finished_at" => Ok(TaskSort::FinishedDesc),
        "-runtime_ms" => Ok(TaskSort::RuntimeDesc),
        other => Err(ApiError::invalid_query(format!(
            "Tasks cannot be sorted by {other:?}."
        ))),
    }
}
