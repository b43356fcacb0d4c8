//! What the product does, without HTTP: called by handlers, and by whoever embeds a brain.

pub(crate) mod agents;
pub(crate) mod audit_log;
pub(crate) mod commands;
mod error;
mod keyring;
mod operator;
pub(crate) mod people;
pub(crate) mod projects;
pub(crate) mod setup;
pub(crate) mod stats;
pub(crate) mod token;

pub use audit_log::ChainState;
pub use error::OpError;
pub(crate) use keyring::Keyring;
pub use operator::{AgentCredentials, Operator};
pub use setup::SetupInvite;

use z4j_core::audit::Actor;
use z4j_core::id::UserId;

/// Who asks for something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requester {
    /// The person, when it is one.
    pub(crate) user: Option<UserId>,
    /// The name to show.
    pub(crate) name: String,
    /// Their network address.
    pub(crate) origin: Option<String>,
}

impl Requester {
    /// How the audit chain names them.
    pub(crate) fn actor(&self) -> Actor {
        match self.user {
            Some(id) => Actor::User {
                id,
                name: self.name.clone(),
            },
            None => Actor::System,
        }
    }
}

/// An error with all that caused it, for a log line. `Display` of an error never repeats its source.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
