//! The key that seals entries.

use std::fmt;

use zeroize::Zeroizing;

/// A key that seals entries, and the name that entries know it by. It does not print.
#[derive(Clone)]
pub struct AuditKey {
    key_id: String,
    bytes: Zeroizing<[u8; 32]>,
}

impl AuditKey {
    /// Names a key. `key_id` is stored with every entry and must never name another key.
    pub fn new(key_id: impl Into<String>, bytes: [u8; 32]) -> Self {
        Self {
            key_id: key_id.into(),
            bytes: Zeroizing::new(bytes),
        }
    }

    /// The name that entries know it by.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
