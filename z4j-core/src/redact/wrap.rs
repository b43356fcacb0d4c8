//! What has been through a redactor, and what has not.

use std::fmt;

/// Data as an application gave it. It cannot be serialised, and printing it says only that it is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<T>(T);

impl<T> Raw<T> {
    /// Marks `value` as not redacted yet.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// A look at the data, for a redactor.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Takes the data out, for a redactor.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Raw<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw(..)")
    }
}

/// Data that a redactor has seen. Frames and store writes take nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// States that `value` went through a redactor, or can hold no secret.
    ///
    /// # Contract
    /// The caller must have redacted `value`; stores keep it as it is.
    pub const fn vouch(value: T) -> Self {
        Self(value)
    }

    /// The data.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// Takes the data out.
    pub fn into_inner(self) -> T {
        self.0
    }
}
