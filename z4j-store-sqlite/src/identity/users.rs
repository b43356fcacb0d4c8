//! People.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use z4j_core::id::UserId;
use z4j_core::policy::Role;
use z4j_core::store::{CreateUser, CreateUserOutcome, PasswordHash, SetPassword, Topic, UserRow};

use crate::fault::Fault;
use crate::writer::Tx;
use crate::{audit, row};

pub(super) fn any(db: &Connection) -> Result<bool, Fault> {
    Ok(db.prepare_cached("SELECT 1 FROM users")?.exists([])?)
}

pub(super) fn find(db: &Connection, id: UserId) -> Result<Option<UserRow>, Fault> {
    one(db, "id = ?1", &id.as_bytes().as_slice())
}

pub(super) fn by_email(db: &Connection, email: &str) -> Result<Option<UserRow>, Fault> {
    one(db, "email = ?1", &email)
}

fn one(db: &Connection, condition: &str, value: &dyn ToSql) -> Result<Option<UserRow>, Fault> {
    let mut select = db.prepare_cached(&format!("SELECT * FROM users WHERE {condition}"))?;
    Ok(select
        .query_row([value], |row| read(row, "id", "created_at"))
        .optional()?)
}

/// `id` and `created_at` may have other names in a join.
pub(super) fn read(row: &Row<'_>, id: &str, created_at: &str) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        id: row::id(row, id, UserId::from_slice)?,
        email: row.get("email")?,
        display_name: row.get("display_name")?,
        password_hash: PasswordHash::new(row.get("password_hash")?),
        is_admin: row.get("is_admin")?,
        is_active: row.get("is_active")?,
        created_at: row::time(row, created_at)?,
        last_login_at: row::time_opt(row, "last_login_at")?,
    })
}

pub(super) fn create(tx: &mut Tx<'_>, create: &CreateUser) -> Result<CreateUserOutcome, Fault> {
    if let Some(known) = find(tx.db, create.id)? {
        return Ok(CreateUserOutcome::Created(known));
    }
    if by_email(tx.db, &create.email)?.is_some() {
        return Ok(CreateUserOutcome::EmailTaken);
    }
    insert(tx.db, create)?;
    if let Some((project, role)) = create.membership {
        let project = tx.known_project(project)?;
        join(tx.db, create.id, project, role)?;
    }
    audit::append(tx.db, &create.audit)?;
    let user = find(tx.db, create.id)?;
    user.map(CreateUserOutcome::Created)
        .ok_or(Fault::Bug("a user is not where it was written"))
}

pub(super) fn insert(db: &Connection, create: &CreateUser) -> Result<(), Fault> {
    let mut insert = db.prepare_cached(
        "INSERT INTO users (id, email, display_name, password_hash, is_admin, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    insert.execute(params![
        create.id.as_bytes().as_slice(),
        create.email,
        create.display_name,
        create.password_hash.expose(),
        create.is_admin,
        create.at.as_micros(),
    ])?;
    Ok(())
}

pub(super) fn join(db: &Connection, user: UserId, project: i64, role: Role) -> Result<(), Fault> {
    let mut join =
        db.prepare_cached("INSERT INTO memberships (user_id, project, role) VALUES (?1, ?2, ?3)")?;
    join.execute(params![user.as_bytes().as_slice(), project, role.as_str()])?;
    Ok(())
}

pub(super) fn set_password(tx: &mut Tx<'_>, set: &SetPassword) -> Result<bool, Fault> {
    let db = tx.db;
    let user = set.user_id.as_bytes().as_slice();
    let mut update = db.prepare_cached(
        "UPDATE users SET password_hash = ?2 WHERE id = ?1 AND (?3 IS NULL OR password_hash = ?3)",
    )?;
    let expected = set.expected.as_ref().map(PasswordHash::expose);
    if update.execute(params![user, set.password_hash.expose(), expected])? == 0 {
        return Ok(false);
    }
    if set.end_sessions {
        tx.wake(Topic::People);
        db.prepare_cached(
            "UPDATE sessions SET ended_at = ?2 WHERE user_id = ?1 AND ended_at IS NULL",
        )?
        .execute(params![user, set.at.as_micros()])?;
    }
    if let Some(audit) = &set.audit {
        audit::append(db, audit)?;
    }
    Ok(true)
}
