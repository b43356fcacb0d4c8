//! People, their sessions, and projects.

mod projects;
mod sessions;
mod setup;
mod users;

use async_trait::async_trait;
use z4j_core::id::{UserId, UserSessionId};
use z4j_core::store::{
    CompleteSetup, CreateProject, CreateProjectOutcome, CreateUser, CreateUserOutcome, EndSession,
    IdentityStore, MembershipRow, NewSession, ProjectRow, SessionRow, SetPassword, SetupOutcome,
    SetupToken, StoreError, UserRow,
};
use z4j_core::time::Timestamp;

use crate::store::SqliteStore;

#[async_trait]
impl IdentityStore for SqliteStore {
    async fn has_users(&self) -> Result<bool, StoreError> {
        self.read("has users", users::any).await
    }

    async fn setup_token(&self) -> Result<Option<SetupToken>, StoreError> {
        self.read("setup token", setup::token).await
    }

    async fn put_setup_token(&self, token: SetupToken) -> Result<(), StoreError> {
        self.write("put setup token", move |tx| setup::put_token(tx.db, &token))
            .await
    }

    async fn complete_setup(&self, setup: CompleteSetup) -> Result<SetupOutcome, StoreError> {
        self.write("complete setup", move |tx| setup::complete(tx, &setup))
            .await
    }

    async fn create_user(&self, create: CreateUser) -> Result<CreateUserOutcome, StoreError> {
        self.write("create user", move |tx| users::create(tx, &create))
            .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        let email = email.to_owned();
        self.read("user by email", move |db| users::by_email(db, &email))
            .await
    }

    async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        self.read("user", move |db| users::find(db, id)).await
    }

    async fn set_password(&self, set: SetPassword) -> Result<bool, StoreError> {
        self.write("set password", move |tx| users::set_password(tx, &set))
            .await
    }

    async fn create_session(&self, session: NewSession) -> Result<bool, StoreError> {
        self.write("create session", move |tx| {
            sessions::create(tx.db, &session)
        })
        .await
    }

    async fn session(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<SessionRow>, StoreError> {
        let token_hash = *token_hash;
        self.read("session", move |db| sessions::find(db, &token_hash, now))
            .await
    }

    async fn touch_session(
        &self,
        id: UserSessionId,
        seen_at: Timestamp,
        idle_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("touch session", move |tx| {
            sessions::touch(tx.db, id, seen_at, idle_until)
        })
        .await
    }

    async fn end_session(&self, end: EndSession) -> Result<(), StoreError> {
        self.write("end session", move |tx| sessions::end(tx, &end))
            .await
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<MembershipRow>, StoreError> {
        self.read("memberships", move |db| projects::of_user(db, user))
            .await
    }

    async fn projects(&self) -> Result<Vec<ProjectRow>, StoreError> {
        self.read("projects", projects::all).await
    }

    async fn project_by_slug(&self, slug: &str) -> Result<Option<ProjectRow>, StoreError> {
        let slug = slug.to_owned();
        self.read("project by slug", move |db| projects::by_slug(db, &slug))
            .await
    }

    async fn create_project(
        &self,
        create: CreateProject,
    ) -> Result<CreateProjectOutcome, StoreError> {
        self.write("create project", move |tx| projects::create(tx.db, &create))
            .await
    }
}
