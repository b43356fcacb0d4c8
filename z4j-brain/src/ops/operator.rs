//! What an operator does without a browser.

use std::sync::Arc;

use secrecy::SecretString;
use z4j_core::audit::{ChainHead, ChainId};
use z4j_core::id::{AgentId, ProjectId, UserId};
use z4j_core::policy::Role;
use z4j_core::store::ProjectRow;

use super::people::NewPerson;
use super::{ChainState, OpError, Requester, SetupInvite, agents, audit_log, people, setup};
use crate::Brain;
use crate::access::HashGate;
use crate::shared::Shared;

/// What an operator does without a browser. The brain need not run: its store is enough.
#[derive(Debug)]
pub struct Operator {
    shared: Arc<Shared>,
    gate: HashGate,
    requester: Requester,
}

/// An agent's id and its secrets, which can be had this once.
#[derive(Debug)]
#[non_exhaustive]
pub struct AgentCredentials {
    /// The agent.
    pub agent_id: AgentId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// What the agent shows when it connects.
    pub token: SecretString,
    /// Signs every frame of the project.
    pub hmac_secret: SecretString,
}

impl Brain {
    /// What an operator does without a browser.
    #[must_use]
    pub fn operator(&self) -> Operator {
        let shared = Arc::clone(self.shared());
        Operator {
            gate: HashGate::new(shared.env.clone(), &shared.config.sign_in),
            requester: Requester {
                user: None,
                name: "operator".to_owned(),
                origin: None,
            },
            shared,
        }
    }
}

impl Operator {
    /// Opens set-up, or answers the invitation that is open still; `None` when there is a user.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn setup_invite(&self) -> Result<Option<SetupInvite>, OpError> {
        setup::invite(&self.shared).await
    }

    /// Makes the first admin and the project `default`. False when there is a user already.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn bootstrap_admin(
        &self,
        email: &str,
        password: &SecretString,
    ) -> Result<bool, OpError> {
        let person = self.person(email, password, None, true);
        match setup::bootstrap(&self.shared, &self.gate, &self.requester, person).await {
            Ok(_) => Ok(true),
            Err(OpError::SetupDone) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Creates a person, with a role in the project of a slug when one is given.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn create_user(
        &self,
        email: &str,
        password: &SecretString,
        display_name: Option<&str>,
        is_admin: bool,
        role: Option<(&str, Role)>,
    ) -> Result<UserId, OpError> {
        let mut person = self.person(email, password, display_name, is_admin);
        if let Some((slug, role)) = role {
            person.membership = Some((self.project(slug).await?.id, role));
        }
        let user = people::create(&self.shared, &self.gate, &self.requester, person).await?;
        Ok(user.id)
    }

    /// Gives a person another password and ends their sessions.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn set_password(
        &self,
        email: &str,
        password: &SecretString,
    ) -> Result<UserId, OpError> {
        let user = people::set_password(&self.shared, &self.gate, &self.requester, email, password)
            .await?;
        Ok(user.id)
    }

    /// Makes an agent in the project of a slug.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn mint_agent(&self, slug: &str, name: &str) -> Result<AgentCredentials, OpError> {
        let project = self.project(slug).await?;
        let minted = agents::mint(&self.shared, &self.requester, project.id, name).await?;
        Ok(minted.into())
    }

    /// Gives an agent, named by its id or its name, a new token; the old one works for another day.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn rotate_agent(&self, slug: &str, agent: &str) -> Result<AgentCredentials, OpError> {
        let (project, id) = self.agent(slug, agent).await?;
        let minted = agents::rotate(&self.shared, &self.requester, project, id).await?;
        Ok(minted.into())
    }

    /// Ends the rights of an agent, named by its id or its name.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn revoke_agent(&self, slug: &str, agent: &str) -> Result<AgentId, OpError> {
        let (project, id) = self.agent(slug, agent).await?;
        agents::revoke(&self.shared, &self.requester, project, id).await?;
        Ok(id)
    }

    /// Walks every audit chain from its first entry.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn verify_audit(&self) -> Result<Vec<ChainState>, OpError> {
        let mut states = Vec::new();
        for (chain, _) in self.shared.store.audit_heads().await? {
            states.push(audit_log::verify(&self.shared, chain).await?);
        }
        Ok(states)
    }

    /// The head of every audit chain, to be kept elsewhere: a chain alone cannot show that its tail was cut off.
    ///
    /// # Errors
    /// The store's fault.
    pub async fn audit_heads(&self) -> Result<Vec<(ChainId, ChainHead)>, OpError> {
        Ok(self.shared.store.audit_heads().await?)
    }

    fn person(
        &self,
        email: &str,
        password: &SecretString,
        display_name: Option<&str>,
        is_admin: bool,
    ) -> NewPerson {
        NewPerson {
            email: email.to_owned(),
            password: password.clone(),
            display_name: display_name.map(str::to_owned),
            is_admin,
            membership: None,
        }
    }

    async fn project(&self, slug: &str) -> Result<ProjectRow, OpError> {
        let project = self.shared.store.project_by_slug(slug).await?;
        project.ok_or(OpError::NotFound("project"))
    }

    async fn agent(&self, slug: &str, agent: &str) -> Result<(ProjectId, AgentId), OpError> {
        let project = self.project(slug).await?.id;
        let rows = self.shared.store.agents(project).await?;
        let is_named =
            |row: &&z4j_core::store::AgentRow| row.id.to_string() == agent || row.name == agent;
        let alive = rows
            .iter()
            .find(|row| row.revoked_at.is_none() && is_named(row));
        let found = alive.or_else(|| rows.iter().find(is_named));
        found
            .map(|row| (project, row.id))
            .ok_or(OpError::NotFound("agent"))
    }
}

impl From<agents::Minted> for AgentCredentials {
    fn from(minted: agents::Minted) -> Self {
        Self {
            agent_id: minted.agent.id,
            project_id: minted.agent.project_id,
            name: minted.agent.name,
            token: minted.token,
            hmac_secret: minted.hmac_secret,
        }
    }
}
