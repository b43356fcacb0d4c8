//! People, their sessions, and projects.

use std::fmt::{self, Debug};

use async_trait::async_trait;

use super::{AuditWrite, StoreError};
use crate::id::{ProjectId, UserId, UserSessionId};
use crate::policy::Role;
use crate::time::Timestamp;

/// Keeps people, sessions, projects and memberships.
#[async_trait]
pub trait IdentityStore: Debug + Send + Sync + 'static {
    /// Whether anybody can sign in yet.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn has_users(&self) -> Result<bool, StoreError>;

    /// The stored setup token, if setup is open.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn setup_token(&self) -> Result<Option<SetupToken>, StoreError>;

    /// Stores the setup token in place of any other.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn put_setup_token(&self, token: SetupToken) -> Result<(), StoreError>;

    /// Creates the first admin, the project and the membership, and uses the setup token up.
    ///
    /// # Contract
    /// Of any number of concurrent calls one succeeds.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn complete_setup(&self, setup: CompleteSetup) -> Result<SetupOutcome, StoreError>;

    /// Creates a person, with a role in a project when one is given.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn create_user(&self, create: CreateUser) -> Result<CreateUserOutcome, StoreError>;

    /// A person by canonical e-mail address.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError>;

    /// A person.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError>;

    /// Stores another password hash; ends the person's sessions when asked to. False: no such person, or not with the
    /// expected hash.
    ///
    /// # Contract
    /// The comparison and the change are one step. When sessions ended, the store wakes [`super::Topic::People`] after the
    /// commit.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn set_password(&self, set: SetPassword) -> Result<bool, StoreError>;

    /// Starts a session and records the sign-in on the person. False: the person has another password hash by now, may not
    /// sign in, or is not there; nothing is written. The same id again answers true.
    ///
    /// # Contract
    /// The comparison and the start are one step, so no session outlives a change of the password that ends sessions.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn create_session(&self, session: NewSession) -> Result<bool, StoreError>;

    /// The live session of a token, with its person. Lapsed, ended, and sessions of disabled people are absent.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn session(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<SessionRow>, StoreError>;

    /// Moves a session's idle deadline. An ended session stays ended.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn touch_session(
        &self,
        id: UserSessionId,
        seen_at: Timestamp,
        idle_until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Ends a session. After the commit the store wakes [`super::Topic::People`].
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn end_session(&self, end: EndSession) -> Result<(), StoreError>;

    /// The projects that a person is a member of, by slug.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn memberships(&self, user: UserId) -> Result<Vec<MembershipRow>, StoreError>;

    /// All projects by slug.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn projects(&self) -> Result<Vec<ProjectRow>, StoreError>;

    /// A project by slug.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn project_by_slug(&self, slug: &str) -> Result<Option<ProjectRow>, StoreError>;

    /// Creates a project; the same id again answers the first row.
    ///
    /// # Errors
    /// Any [`StoreError`].
    async fn create_project(
        &self,
        create: CreateProject,
    ) -> Result<CreateProjectOutcome, StoreError>;
}

/// The one-time right to make the first admin.
#[derive(Clone, PartialEq, Eq)]
pub struct SetupToken {
    /// The token itself, kept in clear so that a restart can print the same URL while it is valid.
    /// It opens nothing once there is a user.
    pub token: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

impl Debug for SetupToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetupToken")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A password hash as a PHC string. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a PHC string.
    #[must_use]
    pub const fn new(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// The first admin and project.
#[derive(Clone, Debug)]
pub struct CompleteSetup {
    /// The token that was shown; `None` when the operator's own process does it.
    pub token: Option<String>,
    /// The person.
    pub user: CreateUser,
    /// The project's id.
    pub project_id: ProjectId,
    /// The project's slug.
    pub project_slug: String,
    /// The project's name.
    pub project_name: String,
    /// When.
    pub at: Timestamp,
}

/// What became of a setup.
#[derive(Clone, Debug)]
#[must_use]
pub enum SetupOutcome {
    /// Done.
    Done(UserRow),
    /// The token is wrong or has lapsed.
    TokenInvalid,
    /// There is a user already.
    AlreadyDone,
}

/// A person to create.
#[derive(Clone, Debug)]
pub struct CreateUser {
    /// Their id.
    pub id: UserId,
    /// Canonical e-mail address.
    pub email: String,
    /// The name to show.
    pub display_name: String,
    /// The password's hash.
    pub password_hash: PasswordHash,
    /// May do everything everywhere.
    pub is_admin: bool,
    /// A role in one project.
    pub membership: Option<(ProjectId, Role)>,
    /// When.
    pub at: Timestamp,
    /// Written with it.
    pub audit: AuditWrite,
}

/// What became of a person to create.
#[derive(Clone, Debug)]
#[must_use]
pub enum CreateUserOutcome {
    /// Created, now or by the same request before.
    Created(UserRow),
    /// Somebody has the address.
    EmailTaken,
}

/// Another password.
#[derive(Clone, Debug)]
pub struct SetPassword {
    /// Whose.
    pub user_id: UserId,
    /// Its hash.
    pub password_hash: PasswordHash,
    /// Only in place of this hash; `None`: in place of any.
    pub expected: Option<PasswordHash>,
    /// End all of the person's sessions.
    pub end_sessions: bool,
    /// When.
    pub at: Timestamp,
    /// Written with it; a mere upgrade of the hash's cost has none.
    pub audit: Option<AuditWrite>,
}

/// A stored person.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRow {
    /// Their id.
    pub id: UserId,
    /// Canonical e-mail address.
    pub email: String,
    /// The name to show.
    pub display_name: String,
    /// The password's hash.
    pub password_hash: PasswordHash,
    /// May do everything everywhere.
    pub is_admin: bool,
    /// May sign in.
    pub is_active: bool,
    /// When they were created.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub last_login_at: Option<Timestamp>,
}

/// A session to start.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: UserSessionId,
    /// SHA-256 of the token.
    pub token_hash: [u8; 32],
    /// Whose.
    pub user_id: UserId,
    /// The hash that the password was checked against.
    pub password_hash: PasswordHash,
    /// When.
    pub created_at: Timestamp,
    /// It ends then unless it is used before.
    pub idle_until: Timestamp,
    /// It ends then in any case.
    pub expires_at: Timestamp,
    /// Stays signed in beyond the idle time.
    pub remember: bool,
    /// The browser's address.
    pub origin: Option<String>,
    /// The browser's own description, cut to [`crate::limits::USER_AGENT_BYTES_MAX`].
    pub user_agent: Option<String>,
    /// Written with it.
    pub audit: AuditWrite,
}

/// A live session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    /// Its id.
    pub id: UserSessionId,
    /// Whose.
    pub user: UserRow,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// It ends then in any case.
    pub expires_at: Timestamp,
    /// Stays signed in beyond the idle time.
    pub remember: bool,
}

/// A session to end.
#[derive(Clone, Debug)]
pub struct EndSession {
    /// Which.
    pub id: UserSessionId,
    /// When.
    pub at: Timestamp,
    /// Written with it.
    pub audit: AuditWrite,
}

/// A person's place in a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipRow {
    /// The project.
    pub project: ProjectRow,
    /// The role there.
    pub role: Role,
}

/// A stored project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A project to create.
#[derive(Clone, Debug)]
pub struct CreateProject {
    /// Its id.
    pub id: ProjectId,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Written with it.
    pub audit: AuditWrite,
}

/// What became of a project to create.
#[derive(Clone, Debug)]
#[must_use]
pub enum CreateProjectOutcome {
    /// Created, now or by the same request before.
    Created(ProjectRow),
    /// Another project has the slug.
    SlugTaken,
}
