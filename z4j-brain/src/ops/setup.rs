//! The first admin and the first project.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use z4j_core::audit::ChainId;
use z4j_core::id::ProjectId;
use z4j_core::keys::same_secret;
use z4j_core::store::{CompleteSetup, SetupOutcome, SetupToken, UserRow};
use z4j_core::time::Timestamp;

use super::audit_log::{about, entry, refused};
use super::people::{self, NewPerson};
use super::{OpError, Requester};
use crate::access::HashGate;
use crate::shared::Shared;

const TOKEN_BYTES: usize = 32;
/// The project that set-up makes.
const FIRST_PROJECT: &str = "default";

/// The right to make the first admin.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SetupInvite {
    /// Goes into the URL `/setup?token=…`.
    pub token: SecretString,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// Opens set-up, or answers the invitation that is open still; `None` when there is a user.
///
/// # Errors
/// The store's fault.
pub(crate) async fn invite(shared: &Shared) -> Result<Option<SetupInvite>, OpError> {
    if shared.store.has_users().await? {
        return Ok(None);
    }
    let now = shared.env.now();
    let open = shared.store.setup_token().await?;
    let token = match open.filter(|token| token.expires_at > now) {
        Some(token) => token,
        None => {
            let token = SetupToken {
                token: URL_SAFE_NO_PAD.encode(shared.env.secret_bytes::<TOKEN_BYTES>()),
                expires_at: now.plus(shared.config.sign_in.setup_ttl),
            };
            shared.store.put_setup_token(token.clone()).await?;
            token
        }
    };
    Ok(Some(SetupInvite {
        token: SecretString::from(token.token),
        expires_at: token.expires_at,
    }))
}

/// Makes the first admin for whoever holds the token.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn complete(
    shared: &Shared,
    gate: &HashGate,
    requester: &Requester,
    token: &SecretString,
    person: NewPerson,
) -> Result<UserRow, OpError> {
    if shared.store.has_users().await? {
        return Err(OpError::SetupDone);
    }
    if !is_open(shared, token).await? {
        let write = entry(shared, requester, ChainId::Instance, "setup.completed");
        refused(shared, write, "setup_token_invalid").await;
        return Err(OpError::SetupTokenInvalid);
    }
    write(shared, gate, requester, Some(token), person).await
}

/// Makes the first admin for the operator's own process.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn bootstrap(
    shared: &Shared,
    gate: &HashGate,
    requester: &Requester,
    person: NewPerson,
) -> Result<UserRow, OpError> {
    if shared.store.has_users().await? {
        return Err(OpError::SetupDone);
    }
    write(shared, gate, requester, None, person).await
}

/// Checks the token before the password is hashed, so that guesses cost no work. The store checks it again.
async fn is_open(shared: &Shared, token: &SecretString) -> Result<bool, OpError> {
    let stored = shared.store.setup_token().await?;
    Ok(stored.is_some_and(|stored| {
        stored.expires_at > shared.env.now()
            && same_secret(stored.token.as_bytes(), token.expose_secret().as_bytes())
    }))
}

async fn write(
    shared: &Shared,
    gate: &HashGate,
    requester: &Requester,
    token: Option<&SecretString>,
    person: NewPerson,
) -> Result<UserRow, OpError> {
    let person = NewPerson {
        is_admin: true,
        ..person
    };
    let mut user = people::prepare(shared, gate, requester, person).await?;
    let mut audit = entry(shared, requester, ChainId::Instance, "setup.completed");
    audit.draft.actor = people::actor_of(&user);
    user.audit = about(audit, "user", user.id);
    let setup = CompleteSetup {
        token: token.map(|token| token.expose_secret().to_owned()),
        project_id: ProjectId::from_u128(shared.env.next_id()),
        project_slug: FIRST_PROJECT.to_owned(),
        project_name: "Default".to_owned(),
        at: user.at,
        user,
    };
    match shared.store.complete_setup(setup).await? {
        SetupOutcome::Done(row) => Ok(row),
        SetupOutcome::TokenInvalid => Err(OpError::SetupTokenInvalid),
        SetupOutcome::AlreadyDone => Err(OpError::SetupDone),
    }
}
