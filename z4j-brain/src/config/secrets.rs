//! The secrets a brain needs.

use secrecy::SecretString;

/// The secrets a brain needs, each at least 32 bytes. They do not print.
#[derive(Clone, Debug)]
pub struct BrainSecrets {
    /// Derives project keys and hashes agent tokens. Changing it means minting every agent again.
    pub master: SecretString,
    /// Signs what is handed to browsers, such as cursors.
    pub session: SecretString,
    /// Seals the audit chain; kept apart so that rotating the others does not break it.
    pub audit: SecretString,
}
