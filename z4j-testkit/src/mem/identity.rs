//! People, their sessions, and projects.

use async_trait::async_trait;
use z4j_core::id::{ProjectId, UserId, UserSessionId};
use z4j_core::policy::Role;
use z4j_core::store::{
    CompleteSetup, CreateProject, CreateProjectOutcome, CreateUser, CreateUserOutcome, EndSession,
    IdentityStore, MembershipRow, NewSession, ProjectRow, SessionRow, SetPassword, SetupOutcome,
    SetupToken, StoreError, Topic, UserRow,
};
use z4j_core::time::Timestamp;

use super::audit::append;
use super::db::Db;
use super::{MemStore, sessions};

#[async_trait]
impl IdentityStore for MemStore {
    async fn has_users(&self) -> Result<bool, StoreError> {
        Ok(self.read(|db| !db.users.is_empty()))
    }

    async fn setup_token(&self) -> Result<Option<SetupToken>, StoreError> {
        Ok(self.read(|db| db.setup_token.clone().filter(|_| db.users.is_empty())))
    }

    async fn put_setup_token(&self, token: SetupToken) -> Result<(), StoreError> {
        self.write("put_setup_token", |db| db.setup_token = Some(token))
            .await
    }

    async fn complete_setup(&self, setup: CompleteSetup) -> Result<SetupOutcome, StoreError> {
        self.write("complete_setup", |db| complete_setup(db, setup))
            .await
    }

    async fn create_user(&self, create: CreateUser) -> Result<CreateUserOutcome, StoreError> {
        self.write("create_user", |db| create_user(db, create))
            .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        Ok(self.read(|db| db.users.values().find(|user| user.email == email).cloned()))
    }

    async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        Ok(self.read(|db| db.users.get(&id).cloned()))
    }

    async fn set_password(&self, set: SetPassword) -> Result<bool, StoreError> {
        let is_set = self
            .write("set_password", |db| sessions::set_password(db, set))
            .await;
        self.wake(Topic::People);
        is_set
    }

    async fn create_session(&self, session: NewSession) -> Result<bool, StoreError> {
        self.write("create_session", |db| sessions::create(db, session))
            .await
    }

    async fn session(
        &self,
        token_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<SessionRow>, StoreError> {
        Ok(self.read(|db| sessions::live(db, token_hash, now)))
    }

    async fn touch_session(
        &self,
        id: UserSessionId,
        seen_at: Timestamp,
        idle_until: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("touch_session", |db| {
            sessions::touch(db, id, seen_at, idle_until)
        })
        .await
    }

    async fn end_session(&self, end: EndSession) -> Result<(), StoreError> {
        let ended = self.write("end_session", |db| sessions::end(db, end)).await;
        self.wake(Topic::People);
        ended
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<MembershipRow>, StoreError> {
        Ok(self.read(|db| memberships(db, user)))
    }

    async fn projects(&self) -> Result<Vec<ProjectRow>, StoreError> {
        Ok(self.read(|db| {
            let mut rows: Vec<ProjectRow> = db.projects.values().cloned().collect();
            rows.sort_by(|left, right| left.slug.cmp(&right.slug));
            rows
        }))
    }

    async fn project_by_slug(&self, slug: &str) -> Result<Option<ProjectRow>, StoreError> {
        Ok(self.read(|db| {
            db.projects
                .values()
                .find(|project| project.slug == slug)
                .cloned()
        }))
    }

    async fn create_project(
        &self,
        create: CreateProject,
    ) -> Result<CreateProjectOutcome, StoreError> {
        self.write("create_project", |db| create_project(db, create))
            .await
    }
}

/// Whoever sent it again after a fault has the first answer; anybody else comes too late.
fn complete_setup(db: &mut Db, setup: CompleteSetup) -> SetupOutcome {
    if let Some(user) = db.users.get(&setup.user.id) {
        return SetupOutcome::Done(user.clone());
    }
    if !db.users.is_empty() {
        return SetupOutcome::AlreadyDone;
    }
    let is_valid = setup.token.as_ref().is_none_or(|token| {
        db.setup_token
            .as_ref()
            .is_some_and(|stored| stored.token == *token && setup.at < stored.expires_at)
    });
    if !is_valid {
        return SetupOutcome::TokenInvalid;
    }
    db.setup_token = None;
    let known = db
        .projects
        .values()
        .find(|project| project.slug == setup.project_slug);
    let project = known.map_or(setup.project_id, |project| project.id);
    db.projects.entry(project).or_insert_with(|| ProjectRow {
        id: setup.project_id,
        slug: setup.project_slug,
        name: setup.project_name,
        created_at: setup.at,
    });
    SetupOutcome::Done(insert_user(
        db,
        CreateUser {
            is_admin: true,
            membership: Some((project, Role::Admin)),
            ..setup.user
        },
    ))
}

fn create_user(db: &mut Db, create: CreateUser) -> CreateUserOutcome {
    if let Some(known) = db.users.get(&create.id) {
        return CreateUserOutcome::Created(known.clone());
    }
    if db.users.values().any(|user| user.email == create.email) {
        return CreateUserOutcome::EmailTaken;
    }
    CreateUserOutcome::Created(insert_user(db, create))
}

fn insert_user(db: &mut Db, create: CreateUser) -> UserRow {
    let row = UserRow {
        id: create.id,
        email: create.email,
        display_name: create.display_name,
        password_hash: create.password_hash,
        is_admin: create.is_admin,
        is_active: true,
        created_at: create.at,
        last_login_at: None,
    };
    db.users.insert(row.id, row.clone());
    if let Some((project, role)) = create.membership {
        db.memberships.insert((row.id, project), role);
    }
    append(db, create.audit);
    row
}

fn memberships(db: &Db, user: UserId) -> Vec<MembershipRow> {
    let of_user = db
        .memberships
        .iter()
        .filter(|((member, _), _)| *member == user);
    let project = |id: &ProjectId| db.projects.get(id).cloned();
    let mut rows: Vec<MembershipRow> = of_user
        .filter_map(|((_, id), role)| {
            Some(MembershipRow {
                project: project(id)?,
                role: *role,
            })
        })
        .collect();
    rows.sort_by(|left, right| left.project.slug.cmp(&right.project.slug));
    rows
}

fn create_project(db: &mut Db, create: CreateProject) -> CreateProjectOutcome {
    if let Some(known) = db.projects.get(&create.id) {
        return CreateProjectOutcome::Created(known.clone());
    }
    if db
        .projects
        .values()
        .any(|project| project.slug == create.slug)
    {
        return CreateProjectOutcome::SlugTaken;
    }
    let row = ProjectRow {
        id: create.id,
        slug: create.slug,
        name: create.name,
        created_at: create.at,
    };
    db.projects.insert(row.id, row.clone());
    append(db, create.audit);
    CreateProjectOutcome::Created(row)
}
