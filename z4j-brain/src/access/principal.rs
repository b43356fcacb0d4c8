//! A person behind a request.

use std::collections::BTreeMap;

use z4j_core::id::{UserId, UserSessionId};
use z4j_core::policy::Role;
use z4j_core::store::UserRow;
use z4j_core::time::Timestamp;

/// A person behind a request and their roles. Made by an [`super::AccessPolicy`].
#[derive(Clone, Debug)]
pub struct Principal {
    user_id: UserId,
    name: String,
    email: String,
    is_admin: bool,
    roles: BTreeMap<String, Role>,
    account: Option<Account>,
}

/// What the brain's own store knows of the person.
#[derive(Clone, Copy, Debug)]
struct Account {
    session: UserSessionId,
    created_at: Timestamp,
    last_login_at: Option<Timestamp>,
}

impl Principal {
    /// A person without any right. `user_id` must be the same each time, `name` is what others see in lists and in the
    /// audit log.
    #[must_use]
    pub fn new(user_id: UserId, name: impl Into<String>) -> Self {
        Self {
            user_id,
            name: name.into(),
            email: String::new(),
            is_admin: false,
            roles: BTreeMap::new(),
            account: None,
        }
    }

    /// The same with an e-mail address.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.email = email.into();
        self
    }

    /// The same with a role in the project of this slug.
    #[must_use]
    pub fn with_role(mut self, slug: impl Into<String>, role: Role) -> Self {
        self.roles.insert(slug.into(), role);
        self
    }

    /// The same as an admin of every project.
    #[must_use]
    pub const fn with_instance_admin(mut self) -> Self {
        self.is_admin = true;
        self
    }

    /// Somebody that the brain's own sign-in knows.
    pub(super) fn of_session(user: &UserRow, session: UserSessionId) -> Self {
        Self {
            is_admin: user.is_admin,
            account: Some(Account {
                session,
                created_at: user.created_at,
                last_login_at: user.last_login_at,
            }),
            ..Self::new(user.id, user.display_name.clone()).with_email(user.email.clone())
        }
    }

    /// Who it is.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    /// What others see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The e-mail address, empty when there is none.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// May do everything everywhere.
    #[must_use]
    pub const fn is_instance_admin(&self) -> bool {
        self.is_admin
    }

    /// The role in a project; `None` for people who are not to know that it exists.
    #[must_use]
    pub fn role_in(&self, slug: &str) -> Option<Role> {
        if self.is_admin {
            return Some(Role::Admin);
        }
        self.roles.get(slug).copied()
    }

    /// The session, when it is one of the brain's own.
    pub(crate) fn session(&self) -> Option<UserSessionId> {
        self.account.map(|account| account.session)
    }

    /// When the person was created and when they last signed in.
    pub(crate) fn times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let account = self.account.as_ref();
        (
            account.map(|account| account.created_at),
            account.and_then(|account| account.last_login_at),
        )
    }
}
