//! People, sign-in and set-up.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use z4j_core::id::UserId;
use z4j_core::store::UserRow;
use z4j_core::time::Timestamp;

use super::project::ProjectRef;

/// A person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct User {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) display_name: String,
    /// May do everything in every project.
    pub(crate) is_admin: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) created_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_login_at: Option<Timestamp>,
}

impl From<&UserRow> for User {
    fn from(row: &UserRow) -> Self {
        Self {
            id: row.id,
            email: row.email.clone(),
            display_name: row.display_name.clone(),
            is_admin: row.is_admin,
            created_at: Some(row.created_at),
            last_login_at: row.last_login_at,
        }
    }
}

/// The person that signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SignedIn {
    pub(crate) user: User,
}

/// Sign-in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) email: String,
    #[schema(value_type = String, format = Password)]
    pub(crate) password: SecretString,
    /// Stay signed in for 30 days instead of 7, without the idle limit.
    #[serde(default)]
    pub(crate) remember: bool,
}

/// The first admin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompleteSetup {
    /// From the setup URL.
    #[schema(value_type = String)]
    pub(crate) token: SecretString,
    pub(crate) email: String,
    #[schema(value_type = String, format = Password)]
    pub(crate) password: SecretString,
    /// Without one, the part of the address before `@`.
    #[serde(default)]
    pub(crate) display_name: Option<String>,
}

/// Whether the first admin is still to be made.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct SetupStatus {
    pub(crate) needed: bool,
}

/// A person's place in a project and what they may do there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Membership {
    pub(crate) project: ProjectRef,
    pub(crate) role: String,
    /// The actions that the policy table allows this role, such as `task.retry`.
    pub(crate) actions: Vec<&'static str>,
}

/// Facts about the server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ServerInfo {
    pub(crate) version: &'static str,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) now: Timestamp,
}

/// Who is signed in, and what they may do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    pub(crate) user: User,
    pub(crate) memberships: Vec<Membership>,
    pub(crate) server: ServerInfo,
}
