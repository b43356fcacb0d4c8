//! Settings, one struct for each concern. Nothing here reads a file or the environment.

mod agents;
mod replicas;
mod secrets;
mod server;
mod sign_in;

pub use agents::AgentConfig;
pub use replicas::ReplicasConfig;
pub use secrets::BrainSecrets;
pub use server::ServerConfig;
pub use sign_in::SignInConfig;

/// Everything that can be set on a brain.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BrainConfig {
    /// How agents are served.
    pub agents: AgentConfig,
    /// How browsers and scripts are served.
    pub server: ServerConfig,
    /// How people sign in.
    pub sign_in: SignInConfig,
    /// How brains on one store watch each other.
    pub replicas: ReplicasConfig,
}

impl BrainConfig {
    /// Every setting that cannot work, each in one sentence.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.agents.problems();
        problems.extend(self.server.problems());
        problems.extend(self.sign_in.problems());
        problems.extend(self.replicas.problems());
        problems
    }
}
