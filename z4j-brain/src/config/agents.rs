//! How agents are served.

use std::time::Duration;

/// How agents are served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentConfig {
    /// Offered in hello_ack; a link silent for three of them is closed (contract: 30 s).
    pub heartbeat_interval: Duration,
    /// How long a command may take before it is settled without an answer (contract: 60 s).
    pub command_timeout: Duration,
    /// A worker that nobody has seen for this long is offline (the bound: 90 s).
    pub worker_silent_after: Duration,
    /// Links that may be in their handshake at once (`reliability.md` §2).
    pub handshakes_max: usize,
    /// Links that one agent may hold at once (protocol §1.1, close code 4429).
    pub links_per_agent_max: usize,
    /// How long the committer waits for more frames once it has some.
    pub commit_linger: Duration,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(30),
            command_timeout: Duration::from_secs(60),
            worker_silent_after: Duration::from_secs(75),
            handshakes_max: 64,
            links_per_agent_max: 64,
            commit_linger: Duration::ZERO,
        }
    }
}
