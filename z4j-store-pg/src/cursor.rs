//! Where a page ended, as text that only the list that made it takes back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use z4j_core::store::Cursor;

use crate::fault::Fault;

/// Longest cursor that is looked at, in bytes.
const CURSOR_BYTES_MAX: usize = 2_048;

#[derive(Serialize, Deserialize)]
struct Sealed<K> {
    /// Which list with which filter.
    q: String,
    /// The sort key of the last row.
    k: K,
}

/// Names a query, so that a cursor of another one is refused.
pub(crate) fn query_tag(parts: &impl Serialize) -> Result<String, Fault> {
    let text = crate::row::json_text(parts)?;
    let digest = Sha256::digest(text.as_bytes());
    Ok(URL_SAFE_NO_PAD.encode(digest.get(..9).unwrap_or_default()))
}

pub(crate) fn seal<K: Serialize>(tag: &str, key: K) -> Result<Cursor, Fault> {
    let sealed = Sealed {
        q: tag.to_owned(),
        k: key,
    };
    Ok(Cursor::new(
        URL_SAFE_NO_PAD.encode(crate::row::json_text(&sealed)?),
    ))
}

pub(crate) fn open<K: DeserializeOwned>(
    tag: &str,
    cursor: Option<&Cursor>,
) -> Result<Option<K>, Fault> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    if cursor.as_str().len() > CURSOR_BYTES_MAX {
        return Err(Fault::Cursor);
    }
    let bytes = URL_SAFE_NO_PAD
        .decode(cursor.as_str())
        .map_err(|_| Fault::Cursor)?;
    let sealed: Sealed<K> = serde_json::from_slice(&bytes).map_err(|_| Fault::Cursor)?;
    if sealed.q == tag {
        Ok(Some(sealed.k))
    } else {
        Err(Fault::Cursor)
    }
}
