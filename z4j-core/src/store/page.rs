//! Pages of a list, walked by key and never by offset.

use std::fmt;

/// Where a page ended. Opaque to everybody but the store that made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Wraps a store's own text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The store's own text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({})", self.0)
    }
}

/// Which page is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRequest {
    /// Rows at most; the caller keeps it within [`crate::limits::PAGE_ROWS_MAX`].
    pub limit: u32,
    /// Continue after this.
    pub after: Option<Cursor>,
}

impl PageRequest {
    /// The first `limit` rows.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { limit, after: None }
    }

    /// The rows after `cursor`.
    #[must_use]
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }
}

/// Some rows, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in the order asked for.
    pub items: Vec<T>,
    /// `None` when there is nothing after these rows.
    pub next: Option<Cursor>,
}
