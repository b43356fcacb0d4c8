//! Secrets: how they are kept, compared, derived and written.
//!
//! ```
//! use z4j_core::id::ProjectId;
//! use z4j_core::keys::MasterSecret;
//!
//! let master = MasterSecret::new(b"an example master secret of enough length".to_vec())?;
//! let key = master.project_key(ProjectId::from_u128(7));
//! assert_eq!(key.to_hmac_secret().expose().len(), 44);
//! assert_eq!(format!("{key:?}"), "SecretKey(..)");
//! # Ok::<(), z4j_core::keys::KeyError>(())
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::env::Env;
use crate::id::ProjectId;
use crate::limits;

/// A key of any length. It does not print and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey(Vec<u8>);

/// A secret that people or programs pass as text: a token, an hmac_secret. It does not print and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

/// The secret of a brain, from which every other key is derived.
#[derive(Clone)]
pub struct MasterSecret(SecretKey);

/// Why text or bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Fewer than [`limits::SECRET_BYTES_MIN`] bytes.
    #[error("the secret is shorter than 32 bytes")]
    TooShort,
    /// Not URL-safe base64.
    #[error("the secret is not URL-safe base64")]
    NotBase64,
}

/// What a derived key is for. Each purpose has its own key, so that one leak stays one leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Hashing API keys and other bearer texts of people.
    Tokens,
    /// Signing cookies and cross-site guards.
    Cookies,
    /// The audit chain.
    Audit,
    /// Signing what leaves the brain: webhooks.
    Outbox,
    /// Signing list cursors.
    Cursors,
    /// Setup and reset links.
    Links,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Tokens => b"z4j/v1/tokens",
            Self::Cookies => b"z4j/v1/cookies",
            Self::Audit => b"z4j/v1/audit",
            Self::Outbox => b"z4j/v1/outbox",
            Self::Cursors => b"z4j/v1/cursors",
            Self::Links => b"z4j/v1/links",
        }
    }
}

/// Compares secrets without telling by time where they differ. Every compare of a MAC, token or code goes through here.
#[must_use]
pub fn same_secret(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

impl SecretKey {
    /// Wraps key bytes.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The key bytes, for a cipher or MAC.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// HMAC-SHA256 over the joined `parts`.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.keyed();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    pub(crate) fn keyed(&self) -> Hmac<Sha256> {
        keyed(&self.0)
    }

    /// Reads the `hmac_secret` of an agent's configuration as published agents do (wire §2): surrounding white space
    /// and missing padding are forgiven, the standard alphabet is not.
    ///
    /// # Errors
    /// [`KeyError::NotBase64`]. Length is not checked here: see [`SecretKey::require_min_length`].
    pub fn from_hmac_secret(text: &str) -> Result<Self, KeyError> {
        let bare = text.trim().trim_end_matches('=');
        if bare.is_empty() {
            return Err(KeyError::NotBase64);
        }
        URL_SAFE_NO_PAD
            .decode(bare)
            .map(Self)
            .map_err(|_| KeyError::NotBase64)
    }

    /// Passes the key on if it is long enough to sign frames.
    ///
    /// # Errors
    /// [`KeyError::TooShort`].
    pub fn require_min_length(self) -> Result<Self, KeyError> {
        if self.0.len() < limits::SECRET_BYTES_MIN {
            return Err(KeyError::TooShort);
        }
        Ok(self)
    }

    /// The key as agents take it: URL-safe base64 with padding.
    #[must_use]
    pub fn to_hmac_secret(&self) -> SecretText {
        SecretText(URL_SAFE.encode(&self.0))
    }

    /// The confirmation that a `purge_queue` of `depth` entries needs, when this is the project key (wire §6.5).
    #[must_use]
    pub fn purge_token(&self, queue: &str, depth: u64) -> String {
        to_hex(&self.mac(&[
            b"purge|",
            queue.as_bytes(),
            b"|",
            depth.to_string().as_bytes(),
        ]))
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes a key of any length; the error type exists for other MACs"
)]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl SecretText {
    /// Wraps secret text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, to show once or to send.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterSecret(..)")
    }
}

impl MasterSecret {
    /// Takes the brain's master secret: the UTF-8 bytes of its text.
    ///
    /// # Errors
    /// [`KeyError::TooShort`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, KeyError> {
        SecretKey(bytes).require_min_length().map(Self)
    }

    /// Makes a new master secret as text for a file or a setting.
    #[must_use]
    pub fn generate(env: &Env) -> SecretText {
        let bytes = Zeroizing::new(env.secret_bytes::<32>());
        SecretText(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
    }

    /// The key that signs every frame of a project (wire §2).
    #[must_use]
    pub fn project_key(&self, project: ProjectId) -> SecretKey {
        let little_endian = project.as_uuid().to_bytes_le();
        SecretKey(
            self.0
                .mac(&[b"z4j-project-secret-v1:", &little_endian])
                .to_vec(),
        )
    }

    /// What a brain stores of an agent's token, as lower-case hex (wire §2). Looked up by equality.
    #[must_use]
    pub fn token_hash(&self, token: &str) -> String {
        to_hex(&self.token_hash_bytes(token))
    }

    /// [`MasterSecret::token_hash`] as bytes.
    #[must_use]
    pub fn token_hash_bytes(&self, token: &str) -> [u8; 32] {
        let mut key = Zeroizing::new(self.0.expose().to_vec());
        key.extend_from_slice(b"z4j-agent-token-v1");
        let mut mac = keyed(&key);
        mac.update(token.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A key for one purpose only (HKDF-SHA256, no salt, the purpose's label as info).
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "HKDF-SHA256 fails only above 8,160 bytes of output; 32 are asked for"
    )]
    pub fn derive(&self, purpose: Purpose) -> SecretKey {
        let mut out = vec![0; 32];
        Hkdf::<Sha256>::new(None, self.0.expose())
            .expand(purpose.label(), &mut out)
            .expect("32 bytes are within the limit of HKDF");
        SecretKey(out)
    }

    /// Names this master secret without telling it; stored beside what was made with its keys.
    #[must_use]
    pub fn key_id(&self) -> String {
        let mut id = to_hex(&self.0.mac(&[b"z4j/v1/key-id"]));
        id.truncate(16);
        id
    }
}

/// SHA-256 as lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            for digit in [byte >> 4, byte & 0xF] {
                out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
            out
        })
}
