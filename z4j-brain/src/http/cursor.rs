//! Cursors as callers hold them: the store's text, signed for one list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use z4j_core::id::ProjectId;
use z4j_core::keys::{SecretKey, same_secret};
use z4j_core::store::Cursor;

use super::error::ApiError;

/// Longest cursor that is looked at (`reliability.md` §6.6).
const CURSOR_BYTES_MAX: usize = 1024;
const MAC_BYTES: usize = 16;

/// Signs cursors, so that none can be made up or taken to another list or project.
pub(crate) struct CursorKey(SecretKey);

impl std::fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CursorKey(..)")
    }
}

impl CursorKey {
    /// Signs with this key.
    pub(crate) const fn new(key: SecretKey) -> Self {
        Self(key)
    }

    /// The text for callers.
    pub(crate) fn seal(&self, list: &str, project: ProjectId, cursor: &Cursor) -> String {
        let text = cursor.as_str().as_bytes();
        let mac = self.mac(list, project, text);
        let mut bytes = Vec::with_capacity(MAC_BYTES + text.len());
        bytes.extend(mac.iter().take(MAC_BYTES));
        bytes.extend(text);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The store's text.
    ///
    /// # Errors
    /// 400 for what this brain did not hand out for this list.
    pub(crate) fn open(
        &self,
        list: &str,
        project: ProjectId,
        sealed: &str,
    ) -> Result<Cursor, ApiError> {
        let refused = || ApiError::invalid_query("The cursor does not belong to this list.");
        if sealed.len() > CURSOR_BYTES_MAX {
            return Err(refused());
        }
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| refused())?;
        let (mac, text) = bytes.split_at_checked(MAC_BYTES).ok_or_else(refused)?;
        let expected = self.mac(list, project, text);
        let expected = expected.get(..MAC_BYTES).unwrap_or_default();
        if !same_secret(mac, expected) {
            return Err(refused());
        }
        let text = String::from_utf8(text.to_vec()).map_err(|_| refused())?;
        Ok(Cursor::new(text))
    }

    fn mac(&self, list: &str, project: ProjectId, text: &[u8]) -> [u8; 32] {
        self.0
            .mac(&[list.as_bytes(), &[0], project.as_bytes(), text])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_opens_only_for_its_own_list_and_project() {
        let key = CursorKey::new(SecretKey::from_bytes(vec![7; 32]));
        let (one, two) = (ProjectId::from_u128(1), ProjectId::from_u128(2));
        let cursor = Cursor::new("42|celery|x".to_owned());
        let sealed = key.seal("tasks", one, &cursor);
        assert_eq!(key.open("tasks", one, &sealed).unwrap(), cursor);
        assert!(key.open("tasks", two, &sealed).is_err());
        assert!(key.open("commands", one, &sealed).is_err());
        assert!(key.open("tasks", one, &format!("{sealed}A")).is_err());
        assert!(key.open("tasks", one, "").is_err());
        assert!(key.open("tasks", one, &"A".repeat(1025)).is_err());
        let other = CursorKey::new(SecretKey::from_bytes(vec![8; 32]));
        assert!(other.open("tasks", one, &sealed).is_err());
    }
}
