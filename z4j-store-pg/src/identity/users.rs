//! People.

use sqlx::postgres::PgRow;
use z4j_core::id::{ProjectId, UserId};
use z4j_core::policy::Role;
use z4j_core::store::{CreateUser, CreateUserOutcome, PasswordHash, SetPassword, Topic, UserRow};

use crate::db::Db;
use crate::fault::Fault;
use crate::{audit, row, text};

use super::projects;

pub(super) async fn any(db: &mut Db<'_>) -> Result<bool, Fault> {
    let found = db
        .sql("SELECT 1 FROM users LIMIT 1")
        .fetch_optional(db.conn())
        .await?;
    Ok(found.is_some())
}

pub(super) async fn find(db: &mut Db<'_>, id: UserId) -> Result<Option<UserRow>, Fault> {
    let found = db
        .sql(
            "SELECT id, email, display_name, password_hash, is_admin, is_active, created_at, last_login_at
             FROM users WHERE id = $1",
        )
        .bind(*id.as_uuid())
        .fetch_optional(db.conn())
        .await?;
    found.as_ref().map(read).transpose()
}

pub(super) async fn by_email(db: &mut Db<'_>, email: &str) -> Result<Option<UserRow>, Fault> {
    let found = db
        .sql(
            "SELECT id, email, display_name, password_hash, is_admin, is_active, created_at, last_login_at
             FROM users WHERE email = $1",
        )
        .bind(text::put(email).into_owned())
        .fetch_optional(db.conn())
        .await?;
    found.as_ref().map(read).transpose()
}

pub(super) fn read(row: &PgRow) -> Result<UserRow, Fault> {
    Ok(UserRow {
        id: row::id(row, "id", UserId::from_uuid)?,
        email: row::text(row, "email")?,
        display_name: row::text(row, "display_name")?,
        password_hash: PasswordHash::new(row::text(row, "password_hash")?),
        is_admin: row::get(row, "is_admin")?,
        is_active: row::get(row, "is_active")?,
        created_at: row::time(row, "created_at")?,
        last_login_at: row::time_opt(row, "last_login_at")?,
    })
}

pub(super) async fn create(
    db: &mut Db<'_>,
    create: &CreateUser,
) -> Result<CreateUserOutcome, Fault> {
    if let Some(known) = find(db, create.id).await? {
        return Ok(CreateUserOutcome::Created(known));
    }
    if by_email(db, &create.email).await?.is_some() {
        return Ok(CreateUserOutcome::EmailTaken);
    }
    insert(db, create).await?;
    if let Some((project, role)) = create.membership {
        projects::require(db, project).await?;
        join(db, create.id, project, role).await?;
    }
    audit::append(db, &create.audit).await?;
    let user = find(db, create.id).await?;
    user.map(CreateUserOutcome::Created)
        .ok_or(Fault::Bug("a user is not where it was written"))
}

pub(super) async fn insert(db: &mut Db<'_>, create: &CreateUser) -> Result<(), Fault> {
    db.sql(
        "INSERT INTO users (id, email, display_name, password_hash, is_admin, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(*create.id.as_uuid())
    .bind(text::put(&create.email))
    .bind(text::put(&create.display_name))
    .bind(text::put(create.password_hash.expose()))
    .bind(create.is_admin)
    .bind(create.at.as_micros())
    .execute(db.conn())
    .await?;
    Ok(())
}

pub(super) async fn join(
    db: &mut Db<'_>,
    user: UserId,
    project: ProjectId,
    role: Role,
) -> Result<(), Fault> {
    db.sql("INSERT INTO memberships (user_id, project_id, role) VALUES ($1, $2, $3)")
        .bind(*user.as_uuid())
        .bind(*project.as_uuid())
        .bind(role.as_str())
        .execute(db.conn())
        .await?;
    Ok(())
}

pub(super) async fn set_password(db: &mut Db<'_>, set: &SetPassword) -> Result<bool, Fault> {
    let user = *set.user_id.as_uuid();
    // The new hash in place is this very write, sent again: a hash has salt, so nobody else made the same.
    let changed = db
        .sql(
            "UPDATE users SET password_hash = $2
             WHERE id = $1 AND ($3::text IS NULL OR password_hash = $3 OR password_hash = $2)",
        )
        .bind(user)
        .bind(text::put(set.password_hash.expose()))
        .bind(text::put_opt(
            set.expected.as_ref().map(PasswordHash::expose),
        ))
        .execute(db.conn())
        .await?;
    if changed.rows_affected() == 0 {
        return Ok(false);
    }
    if set.end_sessions {
        db.sql("UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL")
            .bind(user)
            .bind(set.at.as_micros())
            .execute(db.conn())
            .await?;
        db.wake(Topic::People).await?;
    }
    if let Some(audit) = &set.audit {
        audit::append(db, audit).await?;
    }
    Ok(true)
}
