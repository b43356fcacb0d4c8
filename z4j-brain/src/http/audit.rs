//! The audit log.

use axum::Json;
use axum::extract::State;
use z4j_core::audit::ChainId;

use super::dto::audit::{AuditPage, AuditQuery, Chain, Entry};
use super::error::ApiError;
use super::extract::{Query, list_of, page_of};
use super::gate::Scope;
use super::state::App;
use crate::ops::audit_log;

const LIST: &str = "audit";
/// A longer chain is not walked for a page; the operator's command does it.
const VERIFIED_LENGTH_MAX: u64 = 10_000;

/// The audit log of a project, latest first.
#[utoipa::path(get, path = "/api/v1/projects/{slug}/audit", tag = "audit",
    params(("slug" = String, Path), AuditQuery),
    responses((status = 200, description = "A page of entries and the state of the chain", body = AuditPage)))]
pub(crate) async fn list(
    State(app): State<App>,
    scope: Scope,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditPage>, ApiError> {
    let chain = ChainId::Project(scope.project.id);
    let page = page_of(&app, &scope, LIST, query.cursor.as_deref(), query.limit)?;
    let is_first = page.after.is_none();
    let action = query.action.as_deref().filter(|action| !action.is_empty());
    let page = app.shared.store.audit_page(chain, action, page).await?;
    let list = list_of(&app, &scope, LIST, page, Entry::from);
    Ok(Json(AuditPage {
        items: list.items,
        next_cursor: list.next_cursor,
        chain: state_of(&app, chain, is_first).await?,
    }))
}

/// The first page says whether the chain holds; the pages after it do not walk it again.
async fn state_of(app: &App, chain: ChainId, is_first: bool) -> Result<Chain, ApiError> {
    let length = audit_log::length(&app.shared, chain).await?;
    if !is_first || length > VERIFIED_LENGTH_MAX {
        return Ok(Chain {
            length,
            verified: None,
        });
    }
    let state = audit_log::verify(&app.shared, chain).await?;
    Ok(Chain {
        length,
        verified: Some(state.fault.is_none()),
    })
}
