//! JSON text that is known to be valid and stays as it was received.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// One valid JSON value, borrowed from a frame. `Debug` shows its length only: it may hold secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawJson<'a>(&'a str);

impl<'a> RawJson<'a> {
    /// The value `null`.
    pub const NULL: RawJson<'static> = RawJson("null");
    /// The value `{}`.
    pub const EMPTY_OBJECT: RawJson<'static> = RawJson("{}");

    /// Takes `text` after checking that it is one JSON value.
    ///
    /// # Errors
    /// [`DecodeError`] when it is not.
    pub fn parse(text: &'a str) -> Result<Self, DecodeError> {
        let value: &RawValue = serde_json::from_str(text)?;
        Ok(Self(value.get()))
    }

    /// Takes text that a scanner already found to be one JSON value.
    pub(crate) const fn known(text: &'a str) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether the value is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// Reads the value as `T`, which may borrow from it.
    ///
    /// # Errors
    /// [`DecodeError`] when the value has another shape.
    pub fn decode<T: Deserialize<'a>>(self) -> Result<T, DecodeError> {
        Ok(serde_json::from_str(self.0)?)
    }

    /// Reads the value as an owned `T`, or `None` when it has another shape.
    #[must_use]
    pub fn decode_owned<T: DeserializeOwned>(self) -> Option<T> {
        serde_json::from_str(self.0).ok()
    }
}

impl fmt::Debug for RawJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}

impl Default for RawJson<'_> {
    fn default() -> Self {
        Self::NULL
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawJson<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|value| Self(value.get()))
    }
}

impl Serialize for RawJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: &RawValue = serde_json::from_str(self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

/// A value that does not have the shape its place requires.
#[derive(Debug, thiserror::Error)]
#[error("value does not have the required shape")]
pub struct DecodeError {
    #[source]
    source: Option<serde_json::Error>,
    reason: &'static str,
}

impl DecodeError {
    pub(crate) const fn because(reason: &'static str) -> Self {
        Self {
            source: None,
            reason,
        }
    }

    pub(crate) const fn unsigned_type() -> Self {
        Self::because("unsigned_type")
    }

    /// A stable word for logs and counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

impl From<serde_json::Error> for DecodeError {
    fn from(source: serde_json::Error) -> Self {
        Self {
            source: Some(source),
            reason: "bad_shape",
        }
    }
}
