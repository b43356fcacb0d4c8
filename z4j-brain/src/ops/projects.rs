//! Projects.

use z4j_core::audit::ChainId;
use z4j_core::id::ProjectId;
use z4j_core::store::{CreateProject, CreateProjectOutcome, ProjectRow};

use super::audit_log::{about, entry};
use super::{OpError, Requester};
use crate::access::Principal;
use crate::shared::Shared;

const NAME_CHARS_MAX: usize = 100;

/// The projects that a person may know of, by slug.
///
/// # Errors
/// The store's fault.
pub(crate) async fn of(shared: &Shared, principal: &Principal) -> Result<Vec<ProjectRow>, OpError> {
    let mut projects = shared.store.projects().await?;
    projects.retain(|project| principal.role_in(&project.slug).is_some());
    Ok(projects)
}

/// Creates a project.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn create(
    shared: &Shared,
    requester: &Requester,
    slug: &str,
    name: Option<&str>,
) -> Result<ProjectRow, OpError> {
    check_slug(slug)?;
    let name = name
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .unwrap_or(slug);
    if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(OpError::Invalid {
            field: "name",
            sentence: "It must have at most 100 characters and no control characters.",
        });
    }
    let id = ProjectId::from_u128(shared.env.next_id());
    let audit = entry(shared, requester, ChainId::Instance, "project.create");
    let create = CreateProject {
        id,
        slug: slug.to_owned(),
        name: name.to_owned(),
        at: shared.env.now(),
        audit: about(audit, "project", id),
    };
    match shared.store.create_project(create).await? {
        CreateProjectOutcome::Created(row) => Ok(row),
        CreateProjectOutcome::SlugTaken => Err(OpError::Taken("slug")),
    }
}

fn check_slug(slug: &str) -> Result<(), OpError> {
    let fits = (3..=50).contains(&slug.len())
        && slug
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    fits.then_some(()).ok_or(OpError::Invalid {
        field: "slug",
        sentence: "It must have 3 to 50 of a-z, 0-9 and -.",
    })
}
