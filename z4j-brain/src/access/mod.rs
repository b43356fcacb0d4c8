//! Who is behind a request, and what they may do.
//!
//! An [`AccessPolicy`] answers the first question; it is a required argument of the brain's builder, and none that comes
//! with this crate lets anybody in without a password. The second question has one answer for every policy: the table
//! of role and permission in `z4j_core::policy`.

mod hash;
mod passwords;
mod principal;
mod session;
mod sign_in;
mod throttle;

use std::fmt::Debug;

use async_trait::async_trait;
use http::request::Parts;
use z4j_core::store::{Store, StoreError};
use z4j_core::time::Timestamp;

use crate::config::SignInConfig;

pub(crate) use hash::{HashGate, HashGateError, params};
pub(crate) use passwords::{sentence, weakness};
pub use principal::Principal;
pub(crate) use session::{SessionToken, cookie, removal_cookie, token_of};
pub use sign_in::PasswordSignIn;
pub(crate) use throttle::{AddressKey, Throttles};

/// Says who is behind a request.
///
/// # Contract
/// - `Ok(None)` means that nobody is known: the answer is 401. Only what the request itself proves may count; where it
///   came from must not.
/// - It is asked again for every request, and for a live stream again within every second, so an answer must not outlive
///   the rights it is made from by more than a second.
#[async_trait]
pub trait AccessPolicy: Debug + Send + Sync + 'static {
    /// Who is behind `request`.
    ///
    /// # Errors
    /// Any [`AccessError`]: it could not be found out.
    async fn principal(
        &self,
        request: &Parts,
        context: AccessContext<'_>,
    ) -> Result<Option<Principal>, AccessError>;

    /// Whether the brain's own routes for set-up and sign-in with a password are there. Without them they are 404.
    fn has_password_sign_in(&self) -> bool;
}

/// What a policy may look at besides the request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AccessContext<'a> {
    /// The brain's store.
    pub store: &'a dyn Store,
    /// The time of the question.
    pub now: Timestamp,
    /// How long sessions last.
    pub sign_in: &'a SignInConfig,
    /// The brain is reached over https, so cookies carry the `__Host-` prefix.
    pub is_https: bool,
    /// A person asks, so a session counts as used. False for what a page does by itself: following the live stream, and
    /// requests with `x-z4j-background: 1`.
    pub is_use: bool,
}

/// It could not be found out who is behind a request.
#[derive(Debug, thiserror::Error)]
#[error("it could not be found out who is behind the request")]
pub struct AccessError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl AccessError {
    /// Keeps what went wrong. It is logged and not shown.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }

    /// The store's fault, when it was one.
    pub(crate) fn into_store_error(self) -> Result<StoreError, Self> {
        self.0.downcast().map(|fault| *fault).map_err(Self)
    }
}

impl From<StoreError> for AccessError {
    fn from(fault: StoreError) -> Self {
        Self(Box::new(fault))
    }
}
