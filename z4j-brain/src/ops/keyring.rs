//! Everything that is derived from the brain's secrets.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use z4j_core::audit::AuditKey;
use z4j_core::env::Env;
use z4j_core::id::ProjectId;
use z4j_core::keys::{MasterSecret, Purpose, SecretKey};

use super::token;
use crate::config::BrainSecrets;

/// Everything that is derived from the brain's secrets. It does not print them.
#[derive(Clone, Debug)]
pub(crate) struct Keyring {
    master: MasterSecret,
    session: MasterSecret,
    audit: Arc<AuditKey>,
}

impl Keyring {
    /// Derives the keys, or names each secret that cannot be used.
    pub(crate) fn new(secrets: &BrainSecrets) -> Result<Self, Vec<String>> {
        let read = |name: &str, secret: &SecretString| {
            let bytes = secret.expose_secret().as_bytes().to_vec();
            MasterSecret::new(bytes).map_err(|error| format!("{name} secret: {error}"))
        };
        let master = read("master", &secrets.master);
        let session = read("session", &secrets.session);
        let audit = read("audit", &secrets.audit);
        match (master, session, audit) {
            (Ok(master), Ok(session), Ok(audit)) => Ok(Self {
                master,
                session,
                audit: Arc::new(audit_key(&audit)),
            }),
            (master, session, audit) => Err([master.err(), session.err(), audit.err()]
                .into_iter()
                .flatten()
                .collect()),
        }
    }

    /// What is stored of an agent's token; looked up by equality.
    pub(crate) fn token_hash(&self, token: &str) -> [u8; 32] {
        self.master.token_hash_bytes(token)
    }

    /// The key that signs every frame of a project.
    pub(crate) fn project_key(&self, project: ProjectId) -> SecretKey {
        self.master.project_key(project)
    }

    /// [`Self::project_key`] as agents take it.
    pub(crate) fn hmac_secret(&self, project: ProjectId) -> SecretString {
        SecretString::from(
            self.project_key(project)
                .to_hmac_secret()
                .expose()
                .to_owned(),
        )
    }

    /// Seals the audit chain.
    pub(crate) fn audit(&self) -> Arc<AuditKey> {
        Arc::clone(&self.audit)
    }

    /// A key for what is handed to browsers.
    pub(crate) fn session_key(&self, purpose: Purpose) -> SecretKey {
        self.session.derive(purpose)
    }

    /// A new agent token, to be shown once.
    pub(crate) fn mint_token(&self, env: &Env) -> SecretString {
        token::mint(env)
    }
}

fn audit_key(secret: &MasterSecret) -> AuditKey {
    let key = secret.derive(Purpose::Audit);
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(key.expose()) {
        *to = *from;
    }
    AuditKey::new(secret.key_id(), bytes)
}
