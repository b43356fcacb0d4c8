//! People: who they are, how they sign in and out.

use secrecy::SecretString;
use z4j_core::audit::{Actor, ChainId};
use z4j_core::id::{ProjectId, UserId, UserSessionId};
use z4j_core::policy::Role;
use z4j_core::store::{
    CreateUser, CreateUserOutcome, EndSession, NewSession, PasswordHash, SetPassword, UserRow,
};

use super::audit_log::{about, entry, refused};
use super::{OpError, Requester};
use crate::access::{HashGate, SessionToken, weakness};
use crate::shared::Shared;

/// Longest address, as mail systems have it.
const EMAIL_BYTES_MAX: usize = 254;
/// Longest name of a person.
const DISPLAY_NAME_CHARS_MAX: usize = 100;
/// Longest description of a browser that is kept.
const USER_AGENT_CHARS_MAX: usize = 256;
/// A hash that was replaced while it was checked is checked anew, this often in all: another sign-in may have upgraded it.
const SIGN_IN_TRIES: u32 = 2;

/// A person to create, before anything is checked.
#[derive(Clone, Debug)]
pub(crate) struct NewPerson {
    /// The address, as typed.
    pub(crate) email: String,
    /// The password.
    pub(crate) password: SecretString,
    /// The name; without one, the part of the address before `@`.
    pub(crate) display_name: Option<String>,
    /// May do everything everywhere.
    pub(crate) is_admin: bool,
    /// A role in one project.
    pub(crate) membership: Option<(ProjectId, Role)>,
}

/// A try at signing in.
#[derive(Debug)]
pub(crate) struct SignIn<'a> {
    /// The address, as typed.
    pub(crate) email: &'a str,
    /// The password.
    pub(crate) password: &'a SecretString,
    /// Stay signed in.
    pub(crate) remember: bool,
    /// The browser's address.
    pub(crate) origin: Option<String>,
    /// The browser's own description.
    pub(crate) user_agent: Option<&'a str>,
}

/// The address that a person is known by: trimmed, in lower case.
pub(crate) fn canonical_email(typed: &str) -> String {
    typed.trim().to_lowercase()
}

/// Checks a person and hashes the password, so that one transaction can write them.
///
/// # Errors
/// Why the person cannot be created.
pub(crate) async fn prepare(
    shared: &Shared,
    gate: &HashGate,
    requester: &Requester,
    person: NewPerson,
) -> Result<CreateUser, OpError> {
    let email = canonical_email(&person.email);
    check_email(&email)?;
    let display_name = display_name(&email, person.display_name.as_deref())?;
    check_password(&person.password, &[&email, &display_name])?;
    let password_hash = gate.hash(&person.password).await?;
    let id = UserId::from_u128(shared.env.next_id());
    let audit = entry(shared, requester, ChainId::Instance, "user.create");
    Ok(CreateUser {
        id,
        email,
        display_name,
        password_hash,
        is_admin: person.is_admin,
        membership: person.membership,
        at: shared.env.now(),
        audit: about(audit, "user", id),
    })
}

/// Creates a person.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn create(
    shared: &Shared,
    gate: &HashGate,
    requester: &Requester,
    person: NewPerson,
) -> Result<UserRow, OpError> {
    let create = prepare(shared, gate, requester, person).await?;
    match shared.store.create_user(create).await? {
        CreateUserOutcome::Created(row) => Ok(row),
        CreateUserOutcome::EmailTaken => Err(OpError::Taken("e-mail address")),
    }
}

/// Gives a person another password and ends their sessions.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn set_password(
    shared: &Shared,
    gate: &HashGate,
    requester: &Requester,
    email: &str,
    password: &SecretString,
) -> Result<UserRow, OpError> {
    let user = shared.store.user_by_email(&canonical_email(email)).await?;
    let user = user.ok_or(OpError::NotFound("user"))?;
    check_password(password, &[&user.email, &user.display_name])?;
    let password_hash = gate.hash(password).await?;
    let audit = entry(shared, requester, ChainId::Instance, "auth.password_set");
    let set = SetPassword {
        user_id: user.id,
        password_hash,
        expected: None,
        end_sessions: true,
        at: shared.env.now(),
        audit: Some(about(audit, "user", user.id)),
    };
    if shared.store.set_password(set).await? {
        Ok(user)
    } else {
        Err(OpError::NotFound("user"))
    }
}

/// Signs a person in. An unknown person, a wrong password and a disabled person are refused alike.
///
/// # Errors
/// [`OpError::BadCredentials`], [`OpError::Busy`], or the store's fault.
pub(crate) async fn sign_in(
    shared: &Shared,
    gate: &HashGate,
    request: &SignIn<'_>,
) -> Result<(UserRow, SessionToken), OpError> {
    for _ in 0..SIGN_IN_TRIES {
        let Some(user) = verified(shared, gate, request).await? else {
            break;
        };
        if let Some(token) = start_session(shared, &user, request).await? {
            upgrade_hash(shared, gate, &user, request.password).await;
            return Ok((user, token));
        }
    }
    let nobody = Requester {
        user: None,
        name: String::new(),
        origin: request.origin.clone(),
    };
    let email = canonical_email(request.email);
    let write = entry(shared, &nobody, ChainId::Instance, "auth.login");
    let write = about(write, "user", shown(&email));
    refused(shared, write, "bad_credentials").await;
    Err(OpError::BadCredentials)
}

/// The person whose password it is, when they may sign in.
async fn verified(
    shared: &Shared,
    gate: &HashGate,
    request: &SignIn<'_>,
) -> Result<Option<UserRow>, OpError> {
    let email = canonical_email(request.email);
    let found = shared.store.user_by_email(&email).await?;
    let hash = found.as_ref().map(|user| &user.password_hash);
    let is_right = gate.verify(request.password, hash).await?;
    Ok(found.filter(|user| is_right && user.is_active))
}

/// Starts a session for somebody whose password was just checked or just set; `None` when it has been replaced meanwhile.
///
/// # Errors
/// The store's fault.
pub(crate) async fn start_session(
    shared: &Shared,
    user: &UserRow,
    request: &SignIn<'_>,
) -> Result<Option<SessionToken>, OpError> {
    let config = &shared.config.sign_in;
    let now = shared.env.now();
    let token = SessionToken::mint(&shared.env);
    let lasts = if request.remember {
        config.remember
    } else {
        config.absolute
    };
    let idle = if request.remember {
        config.remember
    } else {
        config.idle
    };
    let id = UserSessionId::from_u128(shared.env.next_id());
    let requester = requester_of(user, request.origin.clone());
    let audit = entry(shared, &requester, ChainId::Instance, "auth.login");
    let user_agent = request
        .user_agent
        .map(|text| text.chars().take(USER_AGENT_CHARS_MAX).collect());
    let session = NewSession {
        id,
        token_hash: token.hash(),
        user_id: user.id,
        password_hash: user.password_hash.clone(),
        created_at: now,
        idle_until: now.plus(idle),
        expires_at: now.plus(lasts),
        remember: request.remember,
        origin: request.origin.clone(),
        user_agent,
        audit: about(audit, "session", id),
    };
    let is_started = shared.store.create_session(session).await?;
    Ok(is_started.then_some(token))
}

/// Ends a session.
///
/// # Errors
/// The store's fault.
pub(crate) async fn sign_out(
    shared: &Shared,
    requester: &Requester,
    session: UserSessionId,
) -> Result<(), OpError> {
    let audit = entry(shared, requester, ChainId::Instance, "auth.logout");
    let end = EndSession {
        id: session,
        at: shared.env.now(),
        audit: about(audit, "session", session),
    };
    Ok(shared.store.end_session(end).await?)
}

/// The person as somebody who asks for something.
pub(crate) fn requester_of(user: &UserRow, origin: Option<String>) -> Requester {
    Requester {
        user: Some(user.id),
        name: user.display_name.clone(),
        origin,
    }
}

/// The same for somebody that is only being created.
pub(crate) fn actor_of(user: &CreateUser) -> Actor {
    Actor::User {
        id: user.id,
        name: user.display_name.clone(),
    }
}

/// A hash of less work than today's is made anew while the password is at hand. That it failed costs nobody anything.
async fn upgrade_hash(shared: &Shared, gate: &HashGate, user: &UserRow, password: &SecretString) {
    if !gate.is_outdated(&user.password_hash) {
        return;
    }
    let hash: Result<PasswordHash, _> = gate.hash(password).await;
    let Ok(password_hash) = hash else { return };
    let set = SetPassword {
        user_id: user.id,
        password_hash,
        expected: Some(user.password_hash.clone()),
        end_sessions: false,
        at: shared.env.now(),
        audit: None,
    };
    if let Err(fault) = shared.store.set_password(set).await {
        tracing::warn!(error = %fault, "a password hash was not upgraded");
    }
}

fn check_email(email: &str) -> Result<(), OpError> {
    let plausible = email.len() <= EMAIL_BYTES_MAX
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.rsplit_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !local.contains('@')
        });
    plausible.then_some(()).ok_or(OpError::Invalid {
        field: "email",
        sentence: "It must be an e-mail address of at most 254 bytes.",
    })
}

fn display_name(email: &str, given: Option<&str>) -> Result<String, OpError> {
    let given = given.map(str::trim).filter(|name| !name.is_empty());
    let name = given.unwrap_or_else(|| email.split('@').next().unwrap_or(email));
    if name.chars().count() > DISPLAY_NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(OpError::Invalid {
            field: "display_name",
            sentence: "It must have at most 100 characters and no control characters.",
        });
    }
    Ok(name.to_owned())
}

fn check_password(password: &SecretString, context: &[&str]) -> Result<(), OpError> {
    use secrecy::ExposeSecret as _;
    match weakness(password.expose_secret(), context) {
        Some(reason) => Err(OpError::WeakPassword(reason)),
        None => Ok(()),
    }
}

/// What somebody typed as an address, as far as it may be kept: people type passwords there by mistake.
fn shown(email: &str) -> String {
    if check_email(email).is_ok() {
        email.to_owned()
    } else {
        "not an address".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use z4j_testkit::mem::MemStore;

    use super::*;
    use crate::Brain;
    use crate::access::PasswordSignIn;
    use crate::config::{BrainConfig, BrainSecrets};

    const EMAIL: &str = "admin@example.org";

    fn cheap() -> BrainConfig {
        let mut config = BrainConfig::default();
        config.sign_in.argon2_memory_kib = 8;
        config.sign_in.argon2_passes = 1;
        config.sign_in.argon2_lanes = 1;
        config
    }

    async fn stored(shared: &Shared) -> UserRow {
        shared.store.user_by_email(EMAIL).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_password_that_is_replaced_while_it_is_checked_opens_and_overwrites_nothing() {
        let secret =
            |name: &str| SecretString::from(format!("{name}-secret-of-a-test-brain-0123456789"));
        let secrets = BrainSecrets {
            master: secret("master"),
            session: secret("session"),
            audit: secret("audit"),
        };
        let brain = Brain::builder(Arc::new(MemStore::new()), secrets, PasswordSignIn::new())
            .with_config(cheap())
            .build()
            .unwrap();
        let (shared, operator) = (brain.shared(), brain.operator());
        let gate = HashGate::new(shared.env.clone(), &shared.config.sign_in);
        let old = "vexed-otter-plumbing-9".into();
        operator.bootstrap_admin(EMAIL, &old).await.unwrap();
        let request = SignIn {
            email: EMAIL,
            password: &old,
            remember: false,
            origin: None,
            user_agent: None,
        };
        let checked = verified(shared, &gate, &request).await.unwrap().unwrap();
        let new = "another-otter-entirely".into();
        operator.set_password(EMAIL, &new).await.unwrap();
        let replaced = stored(shared).await;

        let started = start_session(shared, &checked, &request).await.unwrap();
        assert!(started.is_none());
        let outdated = UserRow {
            password_hash: PasswordHash::new("of less work".to_owned()),
            ..checked
        };
        upgrade_hash(shared, &gate, &outdated, &old).await;
        assert_eq!(stored(shared).await, replaced);
        let refused = sign_in(shared, &gate, &request).await;
        assert!(matches!(refused, Err(OpError::BadCredentials)));
    }
}
