//! Sessions of people.

use z4j_core::id::UserSessionId;
use z4j_core::store::{EndSession, NewSession, PasswordHash, SessionRow, SetPassword};
use z4j_core::time::Timestamp;

use super::audit::append;
use super::db::{Db, Session};

pub(super) fn create(db: &mut Db, new: NewSession) -> bool {
    if db.sessions.contains_key(&new.id) {
        return true;
    }
    let Some(user) = db
        .users
        .get_mut(&new.user_id)
        .filter(|user| user.is_active && user.password_hash == new.password_hash)
    else {
        return false;
    };
    user.last_login_at = user.last_login_at.max(Some(new.created_at));
    append(db, new.audit.clone());
    let session = Session {
        last_seen_at: new.created_at,
        idle_until: new.idle_until,
        ended_at: None,
        new,
    };
    db.sessions.insert(session.new.id, session);
    true
}

/// A remembered session does not end by idleness.
pub(super) fn live(db: &Db, token_hash: &[u8; 32], now: Timestamp) -> Option<SessionRow> {
    let session = db
        .sessions
        .values()
        .find(|session| session.new.token_hash == *token_hash)?;
    let is_idle = !session.new.remember && session.idle_until <= now;
    if session.ended_at.is_some() || is_idle || session.new.expires_at <= now {
        return None;
    }
    let user = db
        .users
        .get(&session.new.user_id)
        .filter(|user| user.is_active)?;
    Some(SessionRow {
        id: session.new.id,
        user: user.clone(),
        last_seen_at: session.last_seen_at,
        expires_at: session.new.expires_at,
        remember: session.new.remember,
    })
}

pub(super) fn touch(db: &mut Db, id: UserSessionId, seen_at: Timestamp, idle_until: Timestamp) {
    if let Some(session) = db
        .sessions
        .get_mut(&id)
        .filter(|session| session.ended_at.is_none())
    {
        session.last_seen_at = session.last_seen_at.max(seen_at);
        session.idle_until = session.idle_until.max(idle_until);
    }
}

pub(super) fn end(db: &mut Db, end: EndSession) {
    if let Some(session) = db
        .sessions
        .get_mut(&end.id)
        .filter(|session| session.ended_at.is_none())
    {
        session.ended_at = Some(end.at);
        append(db, end.audit);
    }
}

pub(super) fn set_password(db: &mut Db, set: SetPassword) -> bool {
    let is_expected =
        |stored: &PasswordHash| set.expected.as_ref().is_none_or(|hash| hash == stored);
    let Some(user) = db
        .users
        .get_mut(&set.user_id)
        .filter(|user| is_expected(&user.password_hash))
    else {
        return false;
    };
    user.password_hash = set.password_hash;
    if set.end_sessions {
        let open = db
            .sessions
            .values_mut()
            .filter(|session| session.ended_at.is_none());
        for session in open.filter(|session| session.new.user_id == set.user_id) {
            session.ended_at = Some(set.at);
        }
    }
    if let Some(audit) = set.audit {
        append(db, audit);
    }
    true
}
