//! Password hashes: argon2id behind a gate that bounds memory and waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use z4j_core::env::Env;
use z4j_core::store::PasswordHash;

use crate::config::SignInConfig;

/// Callers that may wait for a turn (`reliability.md` S-02).
const WAITING_MAX: usize = 16;
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 32;

/// Hashes passwords, a few at a time. Never on an async thread.
pub(crate) struct HashGate {
    env: Env,
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// A hash that no password has, so that an unknown person takes as long to refuse as a known one.
    decoy: PasswordHash,
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashGateError {
    /// Too many are waiting.
    #[error("too many passwords are being checked")]
    Busy,
    /// The hash function failed, or its thread did.
    #[error("the password hash failed")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl std::fmt::Debug for HashGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashGate")
            .field("turns", &self.turns.available_permits())
            .finish_non_exhaustive()
    }
}

impl HashGate {
    /// A gate for as many hashes at once as half the cores.
    /// Settings that argon2 cannot take are refused when the brain is built.
    pub(crate) fn new(env: Env, config: &SignInConfig) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let params = params(config).unwrap_or_default();
        let decoy = decoy(&env, &params);
        Self {
            env,
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            turns: Arc::new(Semaphore::new((cores / 2).max(1))),
            waiting: AtomicUsize::new(0),
            decoy,
        }
    }

    /// Hashes a password with a new salt.
    ///
    /// # Errors
    /// Any [`HashGateError`].
    pub(crate) async fn hash(
        &self,
        password: &SecretString,
    ) -> Result<PasswordHash, HashGateError> {
        let salt: [u8; SALT_BYTES] = self.env.secret_bytes();
        let (argon2, password) = (self.argon2.clone(), password.clone());
        self.run(move || hash_with(&argon2, &password, &salt))
            .await?
    }

    /// Whether `password` is the one that `hash` was made from. Without a hash the answer is no, after the same work.
    ///
    /// # Errors
    /// Any [`HashGateError`].
    pub(crate) async fn verify(
        &self,
        password: &SecretString,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, HashGateError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.decoy).clone();
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let matches = self
            .run(move || {
                let password = password.expose_secret().as_bytes();
                argon2.verify_password(password, hash.expose()).is_ok()
            })
            .await?;
        Ok(matches && known)
    }

    /// Whether a hash was made with less work than today's settings ask for.
    pub(crate) fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let Ok(parsed) = phc::PasswordHash::new(hash.expose()) else {
            return true;
        };
        let Ok(used) = Params::try_from(&parsed) else {
            return true;
        };
        let wanted = self.argon2.params();
        used.m_cost() < wanted.m_cost()
            || used.t_cost() < wanted.t_cost()
            || used.p_cost() < wanted.p_cost()
    }

    async fn run<T, F>(&self, work: F) -> Result<T, HashGateError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let turn = self.turn().await?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await
            .map_err(|fault| HashGateError::Broken(Box::new(fault)))
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, HashGateError> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let _place = Place::take(&self.waiting).ok_or(HashGateError::Busy)?;
        Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|fault| HashGateError::Broken(Box::new(fault)))
    }
}

/// A place in the waiting line; given back when the caller goes away too.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
                (n < WAITING_MAX).then_some(n + 1)
            })
            .ok()
            .map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What argon2 is told; `None` when it cannot work so.
pub(crate) fn params(config: &SignInConfig) -> Option<Params> {
    let (memory_kib, passes) = (config.argon2_memory_kib, config.argon2_passes);
    Params::new(memory_kib, passes, config.argon2_lanes, None).ok()
}

/// Random bytes in the place of a salt and a tag. Checking a password against it is the same work as against any other.
fn decoy(env: &Env, params: &Params) -> PasswordHash {
    let text = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
    let (salt, tag) = (
        env.secret_bytes::<SALT_BYTES>(),
        env.secret_bytes::<TAG_BYTES>(),
    );
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    PasswordHash::new(format!(
        "$argon2id$v=19$m={m},t={t},p={p}${}${}",
        text(&salt),
        text(&tag)
    ))
}

fn hash_with(
    argon2: &Argon2<'_>,
    password: &SecretString,
    salt: &[u8],
) -> Result<PasswordHash, HashGateError> {
    argon2
        .hash_password_with_salt(password.expose_secret().as_bytes(), salt)
        .map(|hash| PasswordHash::new(hash.to_string()))
        .map_err(|fault| HashGateError::Broken(fault.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> HashGate {
        let config = SignInConfig {
            argon2_memory_kib: 64,
            argon2_passes: 1,
            argon2_lanes: 1,
            ..SignInConfig::default()
        };
        HashGate::new(Env::system(), &config)
    }

    #[tokio::test]
    async fn password_is_known_again_and_another_is_not() {
        let gate = small();
        let hash = gate.hash(&"correct horse battery".into()).await.unwrap();
        assert!(
            gate.verify(&"correct horse battery".into(), Some(&hash))
                .await
                .unwrap()
        );
        assert!(
            !gate
                .verify(&"correct horse batterz".into(), Some(&hash))
                .await
                .unwrap()
        );
        assert!(
            !gate
                .verify(&"correct horse battery".into(), None)
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn argon2id_params_are_those_of_the_settings() {
        let gate = HashGate::new(Env::system(), &SignInConfig::default());
        let hash = gate.hash(&"correct horse battery".into()).await.unwrap();
        assert!(
            hash.expose().starts_with("$argon2id$v=19$m=65536,t=3,p=4$"),
            "{}",
            hash.expose()
        );
        assert!(!gate.is_outdated(&hash));
        let cheap = small().hash(&"correct horse battery".into()).await.unwrap();
        assert!(gate.is_outdated(&cheap));
    }

    #[test]
    fn login_uniform_decoy_costs_what_a_real_hash_costs() {
        let gate = small();
        assert!(!gate.is_outdated(&gate.decoy));
        let parsed = phc::PasswordHash::new(gate.decoy.expose()).unwrap();
        assert_eq!(parsed.hash.unwrap().len(), TAG_BYTES);
        assert_eq!(parsed.salt.unwrap().len(), SALT_BYTES);
    }

    #[tokio::test]
    async fn hash_gate_refuses_the_seventeenth_in_line() {
        let gate = small();
        let all = u32::try_from(gate.turns.available_permits()).unwrap();
        let held = Arc::clone(&gate.turns)
            .acquire_many_owned(all)
            .await
            .unwrap();
        let mut line: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(gate.turn())).collect();
        for waiting in &mut line {
            assert!(futures_util::poll!(waiting).is_pending());
        }
        assert!(matches!(gate.turn().await, Err(HashGateError::Busy)));
        line.pop();
        let mut next = Box::pin(gate.turn());
        assert!(futures_util::poll!(&mut next).is_pending());
        drop(held);
        for waiting in line {
            drop(waiting.await.unwrap());
        }
    }
}
