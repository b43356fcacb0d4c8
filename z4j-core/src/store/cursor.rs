//! Where a page ended, as text that only the list that made it takes back. For whoever writes a store.
//!
//! ```
//! use z4j_core::store::cursor;
//!
//! let tag = cursor::query_tag(&("tasks", "failed only"))?;
//! let end = cursor::seal(&tag, (1_700_000_000, "task-7"))?;
//! assert_eq!(cursor::open(&tag, Some(&end))?, Some((1_700_000_000, "task-7".to_owned())));
//! let other = cursor::query_tag(&("tasks", "all"))?;
//! assert!(cursor::open::<(i64, String)>(&other, Some(&end)).is_err());
//! # Ok::<(), cursor::CursorError>(())
//! ```

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Cursor, StoreErrorKind};

/// Longest cursor that is looked at, in bytes.
const CURSOR_BYTES_MAX: usize = 2_048;

/// Why a cursor cannot be taken or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// It was made for another query, or by nobody.
    #[error("the cursor belongs to another query")]
    Foreign,
    /// A query or a sort key that JSON has no form for: a bug of the store.
    #[error("a cursor cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

impl CursorError {
    /// What a store answers.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Foreign => StoreErrorKind::InvalidQuery,
            Self::Unwritable(_) => StoreErrorKind::Internal,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed<K> {
    /// Which list with which filter.
    q: String,
    /// The sort key of the last row.
    k: K,
}

/// Names a query, so that a cursor of another one is refused.
///
/// # Errors
/// [`CursorError::Unwritable`].
pub fn query_tag(parts: &impl Serialize) -> Result<String, CursorError> {
    let text = serde_json::to_string(parts).map_err(CursorError::Unwritable)?;
    let digest = Sha256::digest(text.as_bytes());
    Ok(URL_SAFE_NO_PAD.encode(digest.get(..9).unwrap_or_default()))
}

/// The cursor after the row with this sort key.
///
/// # Errors
/// [`CursorError::Unwritable`].
pub fn seal<K: Serialize>(tag: &str, key: K) -> Result<Cursor, CursorError> {
    let sealed = Sealed {
        q: tag.to_owned(),
        k: key,
    };
    let text = serde_json::to_string(&sealed).map_err(CursorError::Unwritable)?;
    Ok(Cursor::new(URL_SAFE_NO_PAD.encode(text)))
}

/// The sort key in a cursor; `None` without one.
///
/// # Errors
/// [`CursorError::Foreign`] for a cursor of another query.
pub fn open<K: DeserializeOwned>(
    tag: &str,
    cursor: Option<&Cursor>,
) -> Result<Option<K>, CursorError> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    if cursor.as_str().len() > CURSOR_BYTES_MAX {
        return Err(CursorError::Foreign);
    }
    let bytes = URL_SAFE_NO_PAD
        .decode(cursor.as_str())
        .map_err(|_| CursorError::Foreign)?;
    let sealed: Sealed<K> = serde_json::from_slice(&bytes).map_err(|_| CursorError::Foreign)?;
    if sealed.q == tag {
        Ok(Some(sealed.k))
    } else {
        Err(CursorError::Foreign)
    }
}
