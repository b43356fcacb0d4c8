//! Lists.

use serde::Serialize;
use utoipa::ToSchema;

/// A list, or one page of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
    /// Where to go on; null when this is the end.
    pub(crate) next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that fits in one page.
    pub(crate) const fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next_cursor: None,
        }
    }
}
