//! Signed-in browsers.

use z4j_core::id::UserSessionId;
use z4j_core::store::{EndSession, NewSession, SessionRow, Topic};
use z4j_core::time::Timestamp;

use crate::db::Db;
use crate::fault::Fault;
use crate::{audit, row, text};

use super::users;

pub(super) async fn create(db: &mut Db<'_>, session: &NewSession) -> Result<bool, Fault> {
    let (user, at) = (*session.user_id.as_uuid(), session.created_at.as_micros());
    // The person's row is held: a change of the password that comes now waits and then finds this session to end.
    let inserted = db
        .sql(
            "INSERT INTO sessions (id, token_hash, user_id, created_at, last_seen_at, idle_until, expires_at, remember,
                 origin, user_agent)
             SELECT $1, $2, id, $4, $4, $5, $6, $7, $8, $9 FROM users
             WHERE id = $3 AND password_hash = $10 AND is_active FOR NO KEY UPDATE
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(*session.id.as_uuid())
        .bind(session.token_hash.as_slice())
        .bind(user)
        .bind(at)
        .bind(session.idle_until.as_micros())
        .bind(session.expires_at.as_micros())
        .bind(session.remember)
        .bind(text::put_opt(session.origin.as_deref()))
        .bind(text::put_opt(session.user_agent.as_deref()))
        .bind(text::put(session.password_hash.expose()))
        .execute(db.conn())
        .await?;
    if inserted.rows_affected() == 0 {
        let known = db
            .sql("SELECT 1 FROM sessions WHERE id = $1")
            .bind(*session.id.as_uuid())
            .fetch_optional(db.conn())
            .await?;
        return Ok(known.is_some());
    }
    db.sql("UPDATE users SET last_login_at = greatest(last_login_at, $2) WHERE id = $1")
        .bind(user)
        .bind(at)
        .execute(db.conn())
        .await?;
    audit::append(db, &session.audit).await?;
    Ok(true)
}

pub(super) async fn find(
    db: &mut Db<'_>,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<SessionRow>, Fault> {
    let found = db
        .sql(
            "SELECT users.id AS id, email, display_name, password_hash, is_admin, is_active, users.created_at AS created_at,
                 last_login_at, sessions.id AS session_id, last_seen_at, expires_at, remember
             FROM sessions JOIN users ON users.id = sessions.user_id
             WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $2 AND (remember OR idle_until > $2)
               AND is_active",
        )
        .bind(token_hash.as_slice())
        .bind(now.as_micros())
        .fetch_optional(db.conn())
        .await?;
    let Some(row) = found else { return Ok(None) };
    Ok(Some(SessionRow {
        id: row::id(&row, "session_id", UserSessionId::from_uuid)?,
        user: users::read(&row)?,
        last_seen_at: row::time(&row, "last_seen_at")?,
        expires_at: row::time(&row, "expires_at")?,
        remember: row::get(&row, "remember")?,
    }))
}

pub(super) async fn touch(
    db: &mut Db<'_>,
    id: UserSessionId,
    seen_at: Timestamp,
    idle_until: Timestamp,
) -> Result<(), Fault> {
    db.sql(
        "UPDATE sessions SET last_seen_at = greatest(last_seen_at, $2), idle_until = greatest(idle_until, $3)
         WHERE id = $1 AND ended_at IS NULL",
    )
    .bind(*id.as_uuid())
    .bind(seen_at.as_micros())
    .bind(idle_until.as_micros())
    .execute(db.conn())
    .await?;
    Ok(())
}

pub(super) async fn end(db: &mut Db<'_>, end: &EndSession) -> Result<(), Fault> {
    let ended = db
        .sql("UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(*end.id.as_uuid())
        .bind(end.at.as_micros())
        .execute(db.conn())
        .await?;
    if ended.rows_affected() > 0 {
        audit::append(db, &end.audit).await?;
    }
    db.wake(Topic::People).await
}
