//! Why something was not done.

use std::time::Duration;

use z4j_core::store::StoreError;

use crate::access::HashGateError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// There is no such thing, named in a word such as `project`.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Something else has the name, slug or address.
    #[error("the {0} is taken")]
    Taken(&'static str),
    /// A value that cannot be used: which, and why in one sentence.
    #[error("the {field} cannot be used: {sentence}")]
    Invalid {
        /// The member.
        field: &'static str,
        /// Why.
        sentence: &'static str,
    },
    /// The password is too easy to guess, for this reason.
    #[error("the password is too weak: {0}")]
    WeakPassword(&'static str),
    /// The setup token is wrong, used or out of date.
    #[error("the setup token is not valid")]
    SetupTokenInvalid,
    /// There is a user already.
    #[error("the first admin was made already")]
    SetupDone,
    /// The address or the password is wrong. Which of them is not said.
    #[error("the address or the password is wrong")]
    BadCredentials,
    /// Too many tries.
    #[error("too many tries")]
    TooMany {
        /// When the next one may come.
        retry_after: Duration,
    },
    /// Too much work is waiting.
    #[error("too many passwords are being checked")]
    Busy,
    /// The password hash failed.
    #[error("the password hash failed")]
    Hash(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store failed; whether it was done is not known.
    #[error("the database failed")]
    Store(#[from] StoreError),
}

impl From<HashGateError> for OpError {
    fn from(error: HashGateError) -> Self {
        match error {
            HashGateError::Busy => Self::Busy,
            HashGateError::Broken(source) => Self::Hash(source),
        }
    }
}
