//! Brains of one installation and the agents that they know.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use z4j_brain::access::PasswordSignIn;
use z4j_brain::config::{BrainConfig, BrainSecrets};
use z4j_brain::{AgentCredentials, Brain, BrainError};
use z4j_core::audit::{Actor, AuditDraft, AuditKey, ChainId};
use z4j_core::env::Env;
use z4j_core::id::{AgentId, AuditId, CommandId, ProjectId};
use z4j_core::store::{AuditWrite, CreateProject, CreateProjectOutcome, IssueCommand, Store};

use super::ENGINE;

/// Why the stage could not be set.
pub type GlueError = Box<dyn std::error::Error + Send + Sync>;

const ADMIN: (&str, &str) = ("admin@example.org", "correct horse battery staple 4711");
const PROJECT: &str = "default";

/// An agent that the brains know.
#[derive(Clone, Debug)]
pub struct Minted {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: AgentId,
    /// Its project.
    pub project: ProjectId,
    /// What it connects with.
    pub token: SecretString,
    /// What it signs with.
    pub hmac_secret: SecretString,
}

impl Minted {
    /// How the Rust agent takes its credentials.
    #[must_use]
    pub fn credential(&self) -> z4j_agent::Credential {
        z4j_agent::Credential::new(
            self.token.expose_secret(),
            PROJECT,
            self.hmac_secret.expose_secret(),
        )
    }
}

impl From<AgentCredentials> for Minted {
    fn from(made: AgentCredentials) -> Self {
        Self {
            name: made.name,
            id: made.agent_id,
            project: made.project_id,
            token: made.token,
            hmac_secret: made.hmac_secret,
        }
    }
}

fn audit(env: &Env, chain: ChainId, action: &str) -> AuditWrite {
    AuditWrite {
        id: AuditId::from_u128(env.next_id()),
        chain,
        draft: AuditDraft::new(env.now(), Actor::System, action),
        key: Arc::new(AuditKey::new("k1", [7; 32])),
    }
}

/// Makes brains that share a store and their secrets: each is one more replica, or the same one after a restart.
#[derive(Clone, Debug)]
pub struct BrainKit {
    store: Arc<dyn Store>,
    config: BrainConfig,
}

impl BrainKit {
    /// Brains on `store` with ordinary settings, but for cheap password hashes.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let mut config = BrainConfig::default();
        config.sign_in.argon2_memory_kib = 8;
        config.sign_in.argon2_passes = 1;
        config.sign_in.argon2_lanes = 1;
        Self { store, config }
    }

    /// With other settings.
    #[must_use]
    pub fn with_config(mut self, change: impl FnOnce(&mut BrainConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// The store that all of them share.
    #[must_use]
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &BrainConfig {
        &self.config
    }

    /// One more brain, with the clock and the ids of `env`.
    ///
    /// # Errors
    /// [`BrainError`] for settings that cannot work.
    pub fn brain(&self, env: Env) -> Result<Brain, BrainError> {
        let secret =
            |name: &str| SecretString::from(format!("{name} secret of a test brain, long enough"));
        let secrets = BrainSecrets {
            master: secret("master"),
            session: secret("session"),
            audit: secret("audit"),
        };
        Brain::builder(Arc::clone(&self.store), secrets, PasswordSignIn::new())
            .with_config(self.config.clone())
            .with_env(env)
            .build()
    }

    /// Makes the project and these agents. Needs a tokio runtime on which blocking tasks may run.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_up(&self, env: Env, agents: &[String]) -> Result<Vec<Minted>, GlueError> {
        let operator = self.brain(env)?.operator();
        let password = SecretString::from(ADMIN.1.to_owned());
        operator.bootstrap_admin(ADMIN.0, &password).await?;
        let mut minted = Vec::with_capacity(agents.len());
        for name in agents {
            minted.push(operator.mint_agent(PROJECT, name).await?.into());
        }
        Ok(minted)
    }

    /// Makes one more project, with one agent in it.
    ///
    /// # Errors
    /// The store's, or that there is such a project.
    pub async fn add_project(&self, env: &Env, slug: &str) -> Result<Minted, GlueError> {
        let create = CreateProject {
            id: ProjectId::from_u128(env.next_id()),
            slug: slug.to_owned(),
            name: slug.to_owned(),
            at: env.now(),
            audit: audit(env, ChainId::Instance, "project.create"),
        };
        match self.store.create_project(create).await? {
            CreateProjectOutcome::Created(_) => {}
            CreateProjectOutcome::SlugTaken => return Err("there is such a project".into()),
        }
        let operator = self.brain(env.clone())?.operator();
        Ok(operator.mint_agent(slug, "agent").await?.into())
    }

    /// A command for `agent`, as a person would issue it: `cancel_task` may be sent again, `pool_grow` may not.
    #[must_use]
    pub fn command(&self, env: &Env, agent: &Minted, action: &str) -> IssueCommand {
        let now = env.now();
        let (target_type, target_id) = match action {
            "cancel_task" => ("task", format!("{ENGINE}:{}-1", agent.name)),
            _ => ("worker", format!("{}@box", agent.name)),
        };
        let payload = serde_json::json!({
            "engine": ENGINE,
            "task_id": format!("{}-1", agent.name),
            "worker_name": format!("{}@box", agent.name),
            "n": 1,
        });
        IssueCommand {
            id: CommandId::from_u128(env.next_id()),
            project_id: agent.project,
            agent_id: agent.id,
            issued_by: None,
            action: action.to_owned(),
            target_type: target_type.to_owned(),
            target_id,
            payload: payload.to_string(),
            idempotency: None,
            issued_at: now,
            timeout_at: now.plus(self.command_timeout()),
            claim_for: None,
            audit: audit(env, ChainId::Project(agent.project), "command.issue"),
        }
    }

    /// How long a command may take.
    #[must_use]
    pub const fn command_timeout(&self) -> Duration {
        self.config.agents.command_timeout
    }
}
