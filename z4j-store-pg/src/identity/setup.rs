//! The first admin.

use z4j_core::policy::Role;
use z4j_core::store::{CompleteSetup, SetupOutcome, SetupToken};

use crate::db::Db;
use crate::fault::Fault;
use crate::{audit, row, text};

use super::{projects, users};

/// Held by whoever makes the first admin.
const SETUP_LOCK: i64 = 0x7a34_6a73_6574;

pub(super) async fn token(db: &mut Db<'_>) -> Result<Option<SetupToken>, Fault> {
    let found = db
        .sql("SELECT token, expires_at FROM setup_token")
        .fetch_optional(db.conn())
        .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(SetupToken {
        token: row::text(&row, "token")?,
        expires_at: row::time(&row, "expires_at")?,
    }))
}

pub(super) async fn put_token(db: &mut Db<'_>, token: &SetupToken) -> Result<(), Fault> {
    db.sql(
        "INSERT INTO setup_token (place, token, expires_at) VALUES (1, $1, $2)
         ON CONFLICT (place) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at",
    )
    .bind(text::put(&token.token))
    .bind(token.expires_at.as_micros())
    .execute(db.conn())
    .await?;
    Ok(())
}

/// One at a time: of several calls the first one makes the user and the others find it.
pub(super) async fn complete(
    db: &mut Db<'_>,
    setup: &CompleteSetup,
) -> Result<SetupOutcome, Fault> {
    db.sql("SELECT pg_advisory_xact_lock($1)")
        .bind(SETUP_LOCK)
        .execute(db.conn())
        .await?;
    if let Some(known) = users::find(db, setup.user.id).await? {
        return Ok(SetupOutcome::Done(known));
    }
    if users::any(db).await? {
        return Ok(SetupOutcome::AlreadyDone);
    }
    if let Some(shown) = &setup.token {
        let stored = token(db)
            .await?
            .filter(|stored| stored.expires_at > setup.at);
        if !stored.is_some_and(|stored| is_same_secret(&stored.token, shown)) {
            return Ok(SetupOutcome::TokenInvalid);
        }
    }
    users::insert(db, &setup.user).await?;
    let project = projects::insert_or_find(
        db,
        setup.project_id,
        &setup.project_slug,
        &setup.project_name,
        setup.at,
    )
    .await?;
    let role = setup.user.membership.map_or(Role::Admin, |(_, role)| role);
    users::join(db, setup.user.id, project, role).await?;
    db.sql("DELETE FROM setup_token").execute(db.conn()).await?;
    audit::append(db, &setup.user.audit).await?;
    let user = users::find(db, setup.user.id).await?;
    user.map(SetupOutcome::Done)
        .ok_or(Fault::Bug("a user is not where it was written"))
}

/// Compares without telling by its time how much was right.
fn is_same_secret(left: &str, right: &str) -> bool {
    let difference = left
        .bytes()
        .zip(right.bytes())
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    left.len() == right.len() && difference == 0
}
