//! Where a page ended, bound to the query that it is of.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use z4j_core::store::{Cursor, Page, PageRequest, StoreError, StoreErrorKind};

/// Cuts a page out of all rows of a query, which come in their order.
///
/// `query` names the query with all of its filters, `position` is a row's place in the order, and `is_after` tells whether
/// a row lies after a place. A position must be unique within the query, or rows would be lost between two pages.
pub(super) fn cut<T, P: Serialize + DeserializeOwned>(
    rows: impl IntoIterator<Item = T>,
    query: &str,
    page: &PageRequest,
    position: impl Fn(&T) -> P,
    is_after: impl Fn(&T, &P) -> bool,
) -> Result<Page<T>, StoreError> {
    let start: Option<P> = page
        .after
        .as_ref()
        .map(|cursor| open(query, cursor))
        .transpose()?;
    let mut rest = rows
        .into_iter()
        .filter(|row| start.as_ref().is_none_or(|start| is_after(row, start)));
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let has_more = rest.next().is_some();
    let next = match items.last() {
        Some(last) if has_more => Some(seal(query, &position(last))?),
        _ => None,
    };
    Ok(Page { items, next })
}

fn seal(query: &str, position: &impl Serialize) -> Result<Cursor, StoreError> {
    let text = serde_json::to_vec(&(query, position))
        .map_err(|error| StoreError::new(StoreErrorKind::Internal, "cursor").with_source(error))?;
    Ok(Cursor::new(URL_SAFE_NO_PAD.encode(text)))
}

fn open<P: DeserializeOwned>(query: &str, cursor: &Cursor) -> Result<P, StoreError> {
    let invalid = || StoreError::new(StoreErrorKind::InvalidQuery, "cursor");
    let bytes = URL_SAFE_NO_PAD
        .decode(cursor.as_str())
        .map_err(|_| invalid())?;
    let (of, position): (String, serde_json::Value) =
        serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    if of != query {
        return Err(invalid());
    }
    serde_json::from_value(position).map_err(|_| invalid())
}
