//! The brain's own sign-in: a password, and a session in the store.

use std::time::Duration;

use async_trait::async_trait;
use http::request::Parts;
use z4j_core::store::SessionRow;

use super::{AccessContext, AccessError, AccessPolicy, Principal, token_of};

/// A session's last use is written at most this often (`reliability.md` S-06).
const TOUCH_INTERVAL: Duration = Duration::from_secs(60);

/// The brain's own sign-in: people sign in with a password and hold a session cookie.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct PasswordSignIn;

impl PasswordSignIn {
    /// The brain's own sign-in.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl AccessPolicy for PasswordSignIn {
    async fn principal(
        &self,
        request: &Parts,
        context: AccessContext<'_>,
    ) -> Result<Option<Principal>, AccessError> {
        let Some(token) = token_of(&request.headers, context.is_https) else {
            return Ok(None);
        };
        let Some(session) = context.store.session(&token.hash(), context.now).await? else {
            return Ok(None);
        };
        if context.is_use {
            touch(&session, context).await;
        }
        let mut principal = Principal::of_session(&session.user, session.id);
        if principal.is_instance_admin() {
            // No membership gives more than that, and every request would wait for them.
            return Ok(Some(principal));
        }
        for membership in context.store.memberships(session.user.id).await? {
            principal = principal.with_role(membership.project.slug, membership.role);
        }
        Ok(Some(principal))
    }

    fn has_password_sign_in(&self) -> bool {
        true
    }
}

/// Moves the idle deadline. That it failed costs the person an early sign-out and no request its answer.
async fn touch(session: &SessionRow, context: AccessContext<'_>) {
    if context.now.since(session.last_seen_at) < TOUCH_INTERVAL {
        return;
    }
    let idle_until = if session.remember {
        session.expires_at
    } else {
        context.now.plus(context.sign_in.idle)
    };
    let touched = context
        .store
        .touch_session(session.id, context.now, idle_until)
        .await;
    if let Err(fault) = touched {
        tracing::warn!(error = %fault, "the last use of a session was not written");
    }
}
