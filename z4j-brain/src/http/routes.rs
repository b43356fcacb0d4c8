//! Every route below `/api/v1` with its gate.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use utoipa_axum::routes;
use z4j_core::policy::Permission;

use super::error::ApiError;
use super::gate::{Gate, Routes};
use super::{
    agents, audit, auth, commands, document, fleet, projects, setup, stats, stream, tasks,
};

/// Every route below `/api/v1` with its gate.
pub(super) fn routes() -> Routes {
    use Permission as P;
    let project = Gate::Project;
    Routes::new(document::base())
        .add(Gate::PasswordSignIn, routes!(setup::status))
        .add(Gate::PasswordSignIn, routes!(setup::complete))
        .add(Gate::PasswordSignIn, routes!(auth::login))
        .add(Gate::SignedIn, routes!(auth::logout))
        .add(Gate::SignedIn, routes!(auth::me))
        .add(Gate::SignedIn, routes!(openapi))
        .add(Gate::SignedIn, routes!(projects::list))
        .add(Gate::InstanceAdmin, routes!(projects::create))
        .add(project(P::ProjectRead), routes!(projects::get))
        .add(project(P::AgentRead), routes!(agents::list))
        .add(project(P::AgentMint), routes!(agents::mint))
        .add(project(P::AgentMint), routes!(agents::rotate))
        .add(project(P::AgentRevoke), routes!(agents::revoke))
        .add(project(P::TaskRead), routes!(tasks::list))
        .add(project(P::TaskRead), routes!(tasks::facets))
        .add(project(P::TaskRead), routes!(tasks::get))
        .add(project(P::TaskRead), routes!(tasks::events))
        .add(project(P::TaskRead), routes!(tasks::tree))
        .add(project(P::WorkerRead), routes!(fleet::workers))
        .add(project(P::WorkerRead), routes!(fleet::worker))
        .add(project(P::QueueRead), routes!(fleet::queues))
        .add(project(P::TaskRetry), routes!(commands::retry_task))
        .add(project(P::TaskCancel), routes!(commands::cancel_task))
        .add(project(P::CommandRead), routes!(commands::list))
        .add(project(P::CommandRead), routes!(commands::get))
        .add(project(P::ProjectRead), routes!(stats::stats))
        .add(project(P::ProjectRead), routes!(stats::trends))
        .add(project(P::AuditRead), routes!(audit::list))
        .add(project(P::StreamRead), routes!(stream::stream))
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "other",
    responses((status = 200, description = "The OpenAPI 3.1 document")))]
async fn openapi() -> Response {
    let kind = HeaderValue::from_static("application/json");
    match openapi_json() {
        Ok(text) => ([(CONTENT_TYPE, kind)], text).into_response(),
        Err(fault) => ApiError::internal(fault).into_response(),
    }
}

/// The OpenAPI 3.1 document of the REST interface, as JSON text with a final line break.
///
/// # Errors
/// When it cannot be written as JSON, which would be a bug here.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    let (_, document, _) = routes().finish();
    let document = document::complete(document);
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

/// Method, path and gate of every route, each as text; for tests that try them all.
#[doc(hidden)]
#[must_use]
pub fn route_table() -> Vec<(String, String, String)> {
    let (_, _, table) = routes().finish();
    table
        .into_iter()
        .map(|entry| (entry.method.to_string(), entry.path, gate_name(entry.gate)))
        .collect()
}

fn gate_name(gate: Gate) -> String {
    match gate {
        Gate::PasswordSignIn => "password_sign_in".to_owned(),
        Gate::SignedIn => "signed_in".to_owned(),
        Gate::InstanceAdmin => "instance_admin".to_owned(),
        Gate::Project(permission) => permission.as_str().to_owned(),
    }
}
