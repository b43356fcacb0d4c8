//! REST, the live stream and the dashboard.
//!
//! A request passes [`frame`] (id, limits, origin, panics, headers), its [`gate`] (who, and may they), then its handler:
//! parse, call an operation, render.

mod agents;
mod audit;
mod auth;
mod commands;
mod cursor;
mod dashboard;
mod document;
mod dto;
mod error;
mod extract;
mod fleet;
mod frame;
mod gate;
mod headers;
mod health;
mod host;
mod peer;
mod probe;
mod projects;
mod routes;
mod serve;
mod setup;
mod slots;
mod spare;
mod state;
mod stats;
mod stream;
mod stream_render;
mod tasks;
mod writes;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::link;
use crate::shared::Shared;

pub use dashboard::{Dashboard, DashboardAsset};
pub(crate) use peer::Peer;
pub use routes::{openapi_json, route_table};
pub use serve::serve;
#[cfg(test)]
pub(crate) use slots::Slots;
use state::{App, Web};

/// Everything a brain serves. Live streams end when the brain stops running.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let stopping = shared.stopping.clone();
    assemble(&Web::new(shared, stopping))
}

fn assemble(app: &App) -> Router {
    let agent_socket = link::ws::route(Arc::clone(&app.shared));
    let (api, _, _) = routes::routes().finish();
    api.route("/health", get(health::health))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(dashboard::fallback)
        .with_state(App::clone(app))
        .merge(agent_socket)
        .layer(from_fn_with_state(App::clone(app), frame::frame))
}
