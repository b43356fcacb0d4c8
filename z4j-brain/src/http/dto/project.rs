//! Projects.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use z4j_core::id::ProjectId;
use z4j_core::store::ProjectRow;
use z4j_core::time::Timestamp;

/// A project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Project {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: ProjectId,
    pub(crate) slug: String,
    pub(crate) name: String,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// The caller's role in it.
    pub(crate) role: String,
}

impl Project {
    /// The project as somebody with `role` sees it.
    pub(crate) fn new(row: &ProjectRow, role: &str) -> Self {
        Self {
            id: row.id,
            slug: row.slug.clone(),
            name: row.name.clone(),
            created_at: row.created_at,
            role: role.to_owned(),
        }
    }
}

/// A project, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ProjectRef {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: ProjectId,
    pub(crate) slug: String,
    pub(crate) name: String,
}

impl From<&ProjectRow> for ProjectRef {
    fn from(row: &ProjectRow) -> Self {
        Self {
            id: row.id,
            slug: row.slug.clone(),
            name: row.name.clone(),
        }
    }
}

/// A project to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    /// 3 to 50 of `a-z`, `0-9` and `-`.
    pub(crate) slug: String,
    /// Without one, the slug.
    #[serde(default)]
    pub(crate) name: Option<String>,
}
