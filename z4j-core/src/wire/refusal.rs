//! Why a frame was refused, in words that stay the same.

use std::fmt;
use std::time::Duration;

use super::CloseCode;

/// Why text is not JSON that the canonical form can express.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON. NaN and Infinity are not JSON either.
    #[error("not JSON")]
    Syntax,
    /// Not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// Half of a surrogate pair.
    #[error("a lone surrogate cannot be written as UTF-8")]
    LoneSurrogate,
    /// A number beyond the range of a double.
    #[error("a number overflows")]
    NotFinite,
    /// Nested deeper than [`crate::limits::CANONICAL_DEPTH_MAX`].
    #[error("nested too deep")]
    TooDeep,
    /// Longer than 4 GiB.
    #[error("too long")]
    TooLong,
}

/// The three classes of wire §3.4, and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalClass {
    /// The MAC or the replay guard said no.
    Signature,
    /// The frame is not one of protocol v2.
    Protocol,
    /// The frame is of another protocol version.
    Version,
    /// The frame is larger than agreed.
    Size,
}

/// Why exactly a frame was refused. [`Refusal::reason`] is the stable word for logs, metrics and the agent's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// MAC missing, of wrong form, or of other bytes, key or session.
    Hmac,
    /// seq missing, no integer, below one, or not above the last one.
    Seq,
    /// nonce missing, empty, too long, or seen before.
    Nonce,
    /// ts missing, not a time, or without an offset.
    Ts,
    /// The sender's clock and ours differ by more than [`crate::limits::FRAME_SKEW_MAX`].
    Stale {
        /// Sender's time minus ours, in milliseconds.
        skew_ms: i64,
    },
    /// Not JSON, or JSON that the canonical form cannot express.
    NotJson(JsonError),
    /// JSON, but no object.
    NotObject,
    /// `v` is missing or no integer.
    BadVersion,
    /// `v` is another integer than 2.
    OtherVersion,
    /// hello speaks another `protocol_version`.
    OtherProtocol,
    /// `type` is missing, no text, or not of protocol v2.
    UnknownType,
    /// A member has a type that the protocol does not allow.
    Malformed,
    /// The first frame is no hello, or a hello came later.
    NotHello,
    /// A signed frame that only the other end may send.
    WrongDirection,
    /// Larger than agreed.
    TooBig,
}

impl Refusal {
    /// The class.
    #[must_use]
    pub const fn class(&self) -> RefusalClass {
        match self {
            Self::Hmac | Self::Seq | Self::Nonce | Self::Ts | Self::Stale { .. } => {
                RefusalClass::Signature
            }
            Self::OtherVersion | Self::OtherProtocol => RefusalClass::Version,
            Self::TooBig => RefusalClass::Size,
            Self::NotJson(_)
            | Self::NotObject
            | Self::BadVersion
            | Self::UnknownType
            | Self::Malformed
            | Self::NotHello
            | Self::WrongDirection => RefusalClass::Protocol,
        }
    }

    /// A word that never changes.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Seq => "seq",
            Self::Nonce => "nonce",
            Self::Ts => "ts",
            Self::Stale { .. } => "stale",
            Self::NotJson(_) => "not_json",
            Self::NotObject => "not_object",
            Self::BadVersion => "bad_version",
            Self::OtherVersion => "other_version",
            Self::OtherProtocol => "other_protocol",
            Self::UnknownType => "unknown_type",
            Self::Malformed => "malformed",
            Self::NotHello => "not_hello",
            Self::WrongDirection => "wrong_direction",
            Self::TooBig => "too_big",
        }
    }

    /// The sender's clock minus ours in milliseconds, when that is why.
    #[must_use]
    pub const fn skew_ms(&self) -> Option<i64> {
        match self {
            Self::Stale { skew_ms } => Some(*skew_ms),
            _ => None,
        }
    }

    /// How a brain closes a live session for this (wire §3.4, §10).
    #[must_use]
    pub const fn close_code_live(&self) -> CloseCode {
        match self.class() {
            RefusalClass::Signature => CloseCode::Forbidden,
            RefusalClass::Protocol | RefusalClass::Version => CloseCode::Internal,
            RefusalClass::Size => CloseCode::BadRequest,
        }
    }

    pub(crate) fn stale(ahead: bool, skew: Duration) -> Self {
        let size = i64::try_from(skew.as_millis()).unwrap_or(i64::MAX);
        Self::Stale {
            skew_ms: if ahead { size } else { -size },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { skew_ms } => write!(
                f,
                "the sender's clock differs from ours by {} ms, more than protocol v2 allows",
                skew_ms
            ),
            Self::NotJson(error) => write!(f, "frame refused: {error}"),
            other => write!(f, "frame refused: {}", other.reason()),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        Self::NotJson(error)
    }
}
