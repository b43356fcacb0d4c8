//! How people sign in.

use std::time::Duration;

/// How people sign in (`reliability.md` S-01 and S-06).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignInConfig {
    /// A session ends when it is unused for this long.
    pub idle: Duration,
    /// A session ends after this long in any case.
    pub absolute: Duration,
    /// The same for "keep me signed in".
    pub remember: Duration,
    /// Memory cost of argon2id in KiB.
    pub argon2_memory_kib: u32,
    /// Passes of argon2id.
    pub argon2_passes: u32,
    /// Lanes of argon2id.
    pub argon2_lanes: u32,
    /// How long the setup URL works.
    pub setup_ttl: Duration,
}

impl Default for SignInConfig {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(7 * 24 * 3600),
            remember: Duration::from_secs(30 * 24 * 3600),
            argon2_memory_kib: 65_536,
            argon2_passes: 3,
            argon2_lanes: 4,
            setup_ttl: Duration::from_secs(15 * 60),
        }
    }
}

impl SignInConfig {
    /// Every setting that cannot work, each in one sentence.
    pub(crate) fn problems(&self) -> Vec<String> {
        let unusable = crate::access::params(self).is_none();
        unusable
            .then(|| "The cost of password hashes is not one that argon2 can take.".to_owned())
            .into_iter()
            .collect()
    }
}
