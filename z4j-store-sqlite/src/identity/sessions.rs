//! Signed-in browsers.

use rusqlite::{Connection, OptionalExtension, params};
use z4j_core::id::UserSessionId;
use z4j_core::store::{EndSession, NewSession, SessionRow, Topic};
use z4j_core::time::Timestamp;

use crate::fault::Fault;
use crate::writer::Tx;
use crate::{audit, row};

use super::users;

pub(super) fn create(db: &Connection, session: &NewSession) -> Result<bool, Fault> {
    let mut insert = db.prepare_cached(
        "INSERT INTO sessions (id, token_hash, user_id, created_at, last_seen_at, idle_until, expires_at, remember, origin,
             user_agent)
         SELECT ?1, ?2, id, ?4, ?4, ?5, ?6, ?7, ?8, ?9 FROM users WHERE id = ?3 AND password_hash = ?10 AND is_active
         ON CONFLICT (id) DO NOTHING",
    )?;
    let (user, at) = (
        session.user_id.as_bytes().as_slice(),
        session.created_at.as_micros(),
    );
    let inserted = insert.execute(params![
        session.id.as_bytes().as_slice(),
        session.token_hash.as_slice(),
        user,
        at,
        session.idle_until.as_micros(),
        session.expires_at.as_micros(),
        session.remember,
        session.origin,
        session.user_agent,
        session.password_hash.expose(),
    ])?;
    if inserted == 0 {
        let mut known = db.prepare_cached("SELECT 1 FROM sessions WHERE id = ?1")?;
        return Ok(known.exists([session.id.as_bytes().as_slice()])?);
    }
    db.prepare_cached(
        "UPDATE users SET last_login_at = max(coalesce(last_login_at, ?2), ?2) WHERE id = ?1",
    )?
    .execute(params![user, at])?;
    audit::append(db, &session.audit)?;
    Ok(true)
}

pub(super) fn find(
    db: &Connection,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<SessionRow>, Fault> {
    let mut select = db.prepare_cached(
        "SELECT users.*, sessions.id AS session_id, last_seen_at, expires_at, remember
         FROM sessions JOIN users ON users.id = sessions.user_id
         WHERE token_hash = ?1 AND ended_at IS NULL AND expires_at > ?2 AND (remember OR idle_until > ?2) AND is_active",
    )?;
    let found = select.query_row(params![token_hash.as_slice(), now.as_micros()], |row| {
        Ok(SessionRow {
            id: row::id(row, "session_id", UserSessionId::from_slice)?,
            user: users::read(row, "id", "created_at")?,
            last_seen_at: row::time(row, "last_seen_at")?,
            expires_at: row::time(row, "expires_at")?,
            remember: row.get("remember")?,
        })
    });
    Ok(found.optional()?)
}

pub(super) fn touch(
    db: &Connection,
    id: UserSessionId,
    seen_at: Timestamp,
    idle_until: Timestamp,
) -> Result<(), Fault> {
    let mut update = db.prepare_cached(
        "UPDATE sessions SET last_seen_at = max(last_seen_at, ?2), idle_until = max(idle_until, ?3)
         WHERE id = ?1 AND ended_at IS NULL",
    )?;
    update.execute(params![
        id.as_bytes().as_slice(),
        seen_at.as_micros(),
        idle_until.as_micros()
    ])?;
    Ok(())
}

pub(super) fn end(tx: &mut Tx<'_>, end: &EndSession) -> Result<(), Fault> {
    tx.wake(Topic::People);
    let db = tx.db;
    let mut update =
        db.prepare_cached("UPDATE sessions SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL")?;
    if update.execute(params![end.id.as_bytes().as_slice(), end.at.as_micros()])? > 0 {
        audit::append(db, &end.audit)?;
    }
    Ok(())
}
