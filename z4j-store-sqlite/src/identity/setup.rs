//! The first admin.

use rusqlite::{Connection, OptionalExtension, params};
use z4j_core::policy::Role;
use z4j_core::store::{CompleteSetup, SetupOutcome, SetupToken};

use crate::fault::Fault;
use crate::writer::Tx;
use crate::{audit, row};

use super::{projects, users};

pub(super) fn token(db: &Connection) -> Result<Option<SetupToken>, Fault> {
    let mut select = db.prepare_cached("SELECT token, expires_at FROM setup_token")?;
    let found = select.query_row([], |row| {
        Ok(SetupToken {
            token: row.get("token")?,
            expires_at: row::time(row, "expires_at")?,
        })
    });
    Ok(found.optional()?)
}

pub(super) fn put_token(db: &Connection, token: &SetupToken) -> Result<(), Fault> {
    let mut put = db.prepare_cached(
        "INSERT INTO setup_token (only, token, expires_at) VALUES (1, ?1, ?2)
         ON CONFLICT (only) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at",
    )?;
    put.execute(params![token.token, token.expires_at.as_micros()])?;
    Ok(())
}

/// The writer runs one job at a time, so of several calls the first one makes the user and the others find it.
pub(super) fn complete(tx: &mut Tx<'_>, setup: &CompleteSetup) -> Result<SetupOutcome, Fault> {
    if let Some(known) = users::find(tx.db, setup.user.id)? {
        return Ok(SetupOutcome::Done(known));
    }
    if users::any(tx.db)? {
        return Ok(SetupOutcome::AlreadyDone);
    }
    if let Some(shown) = &setup.token {
        let stored = token(tx.db)?.filter(|stored| stored.expires_at > setup.at);
        if !stored.is_some_and(|stored| is_same_secret(&stored.token, shown)) {
            return Ok(SetupOutcome::TokenInvalid);
        }
    }
    users::insert(tx.db, &setup.user)?;
    let project = projects::insert_or_find(
        tx.db,
        setup.project_id,
        &setup.project_slug,
        &setup.project_name,
        setup.at,
    )?;
    let role = setup.user.membership.map_or(Role::Admin, |(_, role)| role);
    users::join(tx.db, setup.user.id, project, role)?;
    tx.db
        .prepare_cached("DELETE FROM setup_token")?
        .execute([])?;
    audit::append(tx.db, &setup.user.audit)?;
    let user = users::find(tx.db, setup.user.id)?;
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
