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

use crate::store::PgStore;

pub(crate) use projects::require;

#[async_trait]
impl IdentityStore for PgStore {
    async fn has_users(&self) -> Result<bool, StoreError> {
        self.read("has users", &(), |db, ()| Box::pin(users::any(db)))
            .await
    }

    async fn setup_token(&self) -> Result<Option<SetupToken>, StoreError> {
        self.read("setup token", &(), |db, ()| Box::pin(setup::token(db)))
            .await
    }

    async fn put_setup_token(&self, token: SetupToken) -> Result<(), StoreError> {
        self.write("put setup token", &token, |db, token| {
            Box::pin(setup::put_token(db, token))
        })
        .await
    }

    async fn complete_setup(&self, setup: CompleteSetup) -> Result<SetupOutcome, StoreError> {
        self.write("complete setup", &setup, |db, setup| {
            Box::pin(setup::complete(db, setup))
        })
        .await
    }

    async fn create_user(&self, create: CreateUser) -> Result<CreateUserOutcome, StoreError> {
        self.write("create user", &create, |db, create| {
            Box::pin(users::create(db, create))
        })
        .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        self.read("user by email", email, |db, email| {
            Box::pin(users::by_email(db, email))
        })
        .await
    }

    async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        self.read("user", &id, |db, id| Box::pin(users::find(db, *id)))
            .await
    }

    async fn set_password(&self, set: SetPassword) -> Result<bool, StoreError> {
        self.write("set password", &set, |db, set| {
            Box::pin(users::set_password(db, set))
        })
        .await
    }

    async fn create_session(&self, session: NewSession) -> Result<bool, StoreError> {
        self.write("create session", &session, |db, session| {
            Box::pin(sessions::create(db, session))
        })
        .await
    }

    async fn session(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<SessionRow>, StoreError> {
        self.read("session", &(token_hash, now), |db, (token_hash, now)| {
            Box::pin(sessions::find(db, token_hash, *now))
        })
        .await
    }

    async fn touch_session(
        &self,
        id: UserSessionId,
        seen_at: Timestamp,
        idle_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(
            "touch session",
            &(id, seen_at, idle_until),
            |db, (id, seen_at, idle_until)| {
                Box::pin(sessions::touch(db, *id, *seen_at, *idle_until))
            },
        )
        .await
    }

    async fn end_session(&self, end: EndSession) -> Result<(), StoreError> {
        self.write("end session", &end, |db, end| {
            Box::pin(sessions::end(db, end))
        })
        .await
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<MembershipRow>, StoreError> {
        self.read("memberships", &user, |db, user| {
            Box::pin(projects::of_user(db, *user))
        })
        .await
    }

    async fn projects(&self) -> Result<Vec<ProjectRow>, StoreError> {
        self.read("projects", &(), |db, ()| Box::pin(projects::all(db)))
            .await
    }

    async fn project_by_slug(&self, slug: &str) -> Result<Option<ProjectRow>, StoreError> {
        self.read("project by slug", slug, |db, slug| {
            Box::pin(projects::by_slug(db, slug))
        })
        .await
    }

    async fn create_project(
        &self,
        create: CreateProject,
    ) -> Result<CreateProjectOutcome, StoreError> {
        self.write("create project", &create, |db, create| {
            Box::pin(projects::create(db, create))
        })
        .await
    }
}
