//! People and projects, with hooks.

use async_trait::async_trait;
use z4j_core::id::{UserId, UserSessionId};
use z4j_core::store::{
    CompleteSetup, CreateProject, CreateProjectOutcome, CreateUser, CreateUserOutcome, EndSession,
    IdentityStore, MembershipRow, NewSession, ProjectRow, SessionRow, SetPassword, SetupOutcome,
    SetupToken, StoreError, UserRow,
};
use z4j_core::time::Timestamp;

use crate::sim::store::HookedStore;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl IdentityStore for HookedStore {
    async fn has_users(&self) -> Result<bool, StoreError> {
        self.hooks.before("has_users", false).await?;
        let done = self.inner.has_users().await?;
        self.hooks.after("has_users", false).await?;
        Ok(done)
    }

    async fn setup_token(&self) -> Result<Option<SetupToken>, StoreError> {
        self.hooks.before("setup_token", false).await?;
        let done = self.inner.setup_token().await?;
        self.hooks.after("setup_token", false).await?;
        Ok(done)
    }

    async fn put_setup_token(&self, token: SetupToken) -> Result<(), StoreError> {
        self.hooks.before("put_setup_token", true).await?;
        let done = self.inner.put_setup_token(token).await?;
        self.hooks.after("put_setup_token", true).await?;
        Ok(done)
    }

    async fn complete_setup(&self, setup: CompleteSetup) -> Result<SetupOutcome, StoreError> {
        self.hooks.before("complete_setup", true).await?;
        let done = self.inner.complete_setup(setup).await?;
        self.hooks.after("complete_setup", true).await?;
        Ok(done)
    }

    async fn create_user(&self, create: CreateUser) -> Result<CreateUserOutcome, StoreError> {
        self.hooks.before("create_user", true).await?;
        let done = self.inner.create_user(create).await?;
        self.hooks.after("create_user", true).await?;
        Ok(done)
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        self.hooks.before("user_by_email", false).await?;
        let done = self.inner.user_by_email(email).await?;
        self.hooks.after("user_by_email", false).await?;
        Ok(done)
    }

    async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        self.hooks.before("user", false).await?;
        let done = self.inner.user(id).await?;
        self.hooks.after("user", false).await?;
        Ok(done)
    }

    async fn set_password(&self, set: SetPassword) -> Result<bool, StoreError> {
        self.hooks.before("set_password", true).await?;
        let done = self.inner.set_password(set).await?;
        self.hooks.after("set_password", true).await?;
        Ok(done)
    }

    async fn create_session(&self, session: NewSession) -> Result<bool, StoreError> {
        self.hooks.before("create_session", true).await?;
        let done = self.inner.create_session(session).await?;
        self.hooks.after("create_session", true).await?;
        Ok(done)
    }

    async fn session(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<SessionRow>, StoreError> {
        self.hooks.before("session", false).await?;
        let done = self.inner.session(token_hash, now).await?;
        self.hooks.after("session", false).await?;
        Ok(done)
    }

    async fn touch_session(
        &self,
        id: UserSessionId,
        seen_at: Timestamp,
        idle_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.hooks.before("touch_session", true).await?;
        let done = self.inner.touch_session(id, seen_at, idle_until).await?;
        self.hooks.after("touch_session", true).await?;
        Ok(done)
    }

    async fn end_session(&self, end: EndSession) -> Result<(), StoreError> {
        self.hooks.before("end_session", true).await?;
        let done = self.inner.end_session(end).await?;
        self.hooks.after("end_session", true).await?;
        Ok(done)
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<MembershipRow>, StoreError> {
        self.hooks.before("memberships", false).await?;
        let done = self.inner.memberships(user).await?;
        self.hooks.after("memberships", false).await?;
        Ok(done)
    }

    async fn projects(&self) -> Result<Vec<ProjectRow>, StoreError> {
        self.hooks.before("projects", false).await?;
        let done = self.inner.projects().await?;
        self.hooks.after("projects", false).await?;
        Ok(done)
    }

    async fn project_by_slug(&self, slug: &str) -> Result<Option<ProjectRow>, StoreError> {
        self.hooks.before("project_by_slug", false).await?;
        let done = self.inner.project_by_slug(slug).await?;
        self.hooks.after("project_by_slug", false).await?;
        Ok(done)
    }

    async fn create_project(
        &self,
        create: CreateProject,
    ) -> Result<CreateProjectOutcome, StoreError> {
        self.hooks.before("create_project", true).await?;
        let done = self.inner.create_project(create).await?;
        self.hooks.after("create_project", true).await?;
        Ok(done)
    }
}
