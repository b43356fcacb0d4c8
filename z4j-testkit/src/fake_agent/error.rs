//! What a script can run into.

use z4j_core::keys::KeyError;
use z4j_core::wire::{Refusal, SignError};

/// A step of a script that did not go as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FakeAgentError {
    /// The URL is not `http://host:port` or `ws://host:port`, with or without a path.
    #[error("the fake agent cannot dial this URL")]
    Url,
    /// The secret is no key.
    #[error("the hmac secret is no key")]
    Key(#[from] KeyError),
    /// The upgrade was answered with this HTTP status.
    #[error("the upgrade was answered with HTTP {0}")]
    Refused(u16),
    /// The brain closed with this code, or the link broke without one.
    #[error("the link ended with close code {0:?}")]
    Closed(Option<u16>),
    /// Nothing came in time.
    #[error("timed out waiting for {0}")]
    TimedOut(&'static str),
    /// The brain sent a frame that an agent must not take.
    #[error("the brain sent a frame that must be refused")]
    Refusal(#[from] Refusal),
    /// The brain sent something else than the script expects.
    #[error("expected {expected}, got {got}")]
    Unexpected {
        /// What the script waits for.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// The frame cannot be made.
    #[error("the frame cannot be made")]
    Sign(#[from] SignError),
    /// The socket failed.
    #[error("the socket failed")]
    Socket(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl FakeAgentError {
    pub(crate) fn socket(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Socket(source.into())
    }

    /// The close code, if the brain sent one.
    #[must_use]
    pub const fn close_code(&self) -> Option<u16> {
        match self {
            Self::Closed(code) => *code,
            _ => None,
        }
    }
}
