//! The one table of routes and rights. A route cannot be added without a gate, and no handler runs before its gate.

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use z4j_core::policy::{Permission, Role, allows};
use z4j_core::store::ProjectRow;

use super::error::ApiError;
use super::extract;
use super::peer::{Peer, address_of};
use super::state::{App, Web};
use crate::access::{AccessContext, Principal};
use crate::ops::Requester;

/// Marks what a page asks for by itself, such as a list that it keeps fresh: it does not keep an idle person signed in.
const BACKGROUND: &str = "x-z4j-background";

/// Who may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Anybody, while the brain's own sign-in is in use.
    PasswordSignIn,
    /// Whoever is signed in.
    SignedIn,
    /// Instance admins.
    InstanceAdmin,
    /// Members of the project in the path whose role holds the permission. For others the project is not there.
    Project(Permission),
}

/// One route and who may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteEntry {
    pub(crate) method: http::Method,
    pub(crate) path: String,
    pub(crate) gate: Gate,
}

/// Routes with their gates and their description.
pub(crate) struct Routes {
    router: OpenApiRouter<App>,
    table: Vec<RouteEntry>,
}

impl Routes {
    /// No routes; the document begins with what is said of the whole.
    pub(crate) fn new(document: utoipa::openapi::OpenApi) -> Self {
        Self {
            router: OpenApiRouter::with_openapi(document),
            table: Vec::new(),
        }
    }

    /// Adds a handler behind a gate.
    pub(crate) fn add(
        mut self,
        gate: Gate,
        (schemas, paths, methods): UtoipaMethodRouter<App>,
    ) -> Self {
        for (path, item) in &paths.paths {
            let operations = [
                (http::Method::GET, &item.get),
                (http::Method::POST, &item.post),
                (http::Method::PATCH, &item.patch),
                (http::Method::PUT, &item.put),
                (http::Method::DELETE, &item.delete),
            ];
            for (method, _) in operations
                .into_iter()
                .filter(|(_, operation)| operation.is_some())
            {
                self.table.push(RouteEntry {
                    method,
                    path: path.clone(),
                    gate,
                });
            }
        }
        let guarded = methods.route_layer(from_fn(move |params, request, next| {
            guard(gate, params, request, next)
        }));
        self.router = self.router.routes((schemas, paths, guarded));
        self
    }

    /// The router, the document and the table.
    pub(crate) fn finish(self) -> (axum::Router<App>, utoipa::openapi::OpenApi, Vec<RouteEntry>) {
        let (router, document) = self.router.split_for_parts();
        (router, document, self.table)
    }
}

/// Whoever passed a gate that asks who they are.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Principal);

/// Whoever passed the gate of a project, and the project. Made by the gate only: it is the proof of the right.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The person.
    pub(crate) principal: Principal,
    /// The project in the path.
    pub(crate) project: ProjectRow,
    /// The person's role in it.
    pub(crate) role: Role,
    /// Where the request came from.
    pub(crate) origin: Option<String>,
}

impl Scope {
    /// The person as somebody who asks for something.
    pub(crate) fn requester(&self) -> Requester {
        requester(&self.principal, self.origin.clone())
    }
}

/// A person as somebody who asks for something.
pub(crate) fn requester(principal: &Principal, origin: Option<String>) -> Requester {
    Requester {
        user: Some(principal.user_id()),
        name: principal.name().to_owned(),
        origin,
    }
}

async fn guard(gate: Gate, params: RawPathParams, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let passed = match pass(gate, &params, &mut parts).await {
        Ok(passed) => passed,
        Err(error) => return error.into_response(),
    };
    if gate == Gate::PasswordSignIn || parts.method.is_safe() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    // Nobody keeps others from their turn by sending slowly.
    match extract::arrived(body, extract::BODY_BYTES_MAX).await {
        Ok(body) => {
            let work = next.run(Request::from_parts(parts, body.into()));
            passed.writes.run(work).await
        }
        Err(error) => error.into_response(),
    }
}

/// Lets a request through to what handlers work with, with what its handler needs to know of the caller.
async fn pass(gate: Gate, params: &RawPathParams, parts: &mut Parts) -> Result<App, ApiError> {
    let app = app_of(parts)?;
    match gate {
        Gate::PasswordSignIn if app.shared.access.has_password_sign_in() => return Ok(app),
        Gate::PasswordSignIn => return Err(ApiError::not_found()),
        Gate::SignedIn | Gate::InstanceAdmin | Gate::Project(_) => {}
    }
    // A browser opens a live stream again by itself, whenever one ends.
    let is_use = gate != Gate::Project(Permission::StreamRead) && !is_background(&parts.headers);
    let slug = match gate {
        Gate::Project(_) => params
            .iter()
            .find(|(name, _)| *name == "slug")
            .map(|(_, slug)| slug),
        _ => None,
    };
    let (principal, project) = principal_and_project(&app, parts, is_use, slug).await?;
    if let Some(peer) = parts.extensions.get::<Peer>() {
        peer.trust();
    }
    if gate == Gate::InstanceAdmin && !principal.is_instance_admin() {
        return Err(ApiError::forbidden("instance.admin"));
    }
    if let Gate::Project(permission) = gate {
        let slug = slug.unwrap_or_default();
        let (project, role) = project
            .zip(principal.role_in(slug))
            .ok_or_else(ApiError::not_found)?;
        if !allows(role, permission) {
            return Err(ApiError::forbidden(permission.as_str()));
        }
        parts.extensions.insert(Scope {
            principal: principal.clone(),
            project,
            role,
            origin: address_of(&parts.extensions).map(|address| address.to_string()),
        });
    }
    parts.extensions.insert(Caller(principal));
    Ok(app)
}

/// Who is behind a request, and the project that it names. Both are asked for at once when somebody claims to be known;
/// strangers cost no look at projects.
async fn principal_and_project(
    app: &Web,
    parts: &Parts,
    is_use: bool,
    slug: Option<&str>,
) -> Result<(Principal, Option<ProjectRow>), ApiError> {
    let signed_out = |principal: Option<Principal>| principal.ok_or_else(ApiError::signed_out);
    let claims = parts.headers.contains_key(COOKIE) || parts.headers.contains_key(AUTHORIZATION);
    match slug {
        Some(slug) if claims => {
            let project = app.shared.store.project_by_slug(slug);
            let (principal, project) = tokio::join!(principal_of(app, parts, is_use), project);
            Ok((signed_out(principal?)?, project?))
        }
        Some(slug) => {
            let principal = signed_out(principal_of(app, parts, is_use).await?)?;
            Ok((principal, app.shared.store.project_by_slug(slug).await?))
        }
        None => Ok((signed_out(principal_of(app, parts, is_use).await?)?, None)),
    }
}

/// Whether a page sent the request by itself.
fn is_background(headers: &HeaderMap) -> bool {
    headers
        .get(BACKGROUND)
        .is_some_and(|value| value.as_bytes() == b"1")
}

/// Who is behind a request. `is_use` is that of [`AccessContext`].
///
/// # Errors
/// When it could not be found out.
pub(crate) async fn principal_of(
    app: &Web,
    parts: &Parts,
    is_use: bool,
) -> Result<Option<Principal>, ApiError> {
    let context = AccessContext {
        store: &*app.shared.store,
        now: app.shared.env.now(),
        sign_in: &app.shared.config.sign_in,
        is_https: app.is_https,
        is_use,
    };
    Ok(app.shared.access.principal(parts, context).await?)
}

/// The project of a slug, for somebody who may know of it. The same work is done for one that is not there.
pub(crate) async fn project_of(
    app: &Web,
    principal: &Principal,
    slug: &str,
) -> Result<(ProjectRow, Role), ApiError> {
    let project = app.shared.store.project_by_slug(slug).await?;
    let role = principal.role_in(slug);
    project.zip(role).ok_or_else(ApiError::not_found)
}

fn app_of(parts: &Parts) -> Result<App, ApiError> {
    let app = parts.extensions.get::<App>().cloned();
    app.ok_or_else(|| ApiError::internal("a gate ran outside its frame"))
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(ApiError::signed_out)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Scope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(ApiError::not_found)
    }
}
