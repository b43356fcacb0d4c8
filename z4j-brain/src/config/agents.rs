//! How agents are served.

use std::time::Duration;

use z4j_core::limits;

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

impl AgentConfig {
    /// Every setting that cannot work, each in one sentence.
    pub(crate) fn problems(&self) -> Vec<String> {
        let heartbeat_max = u64::from(limits::HEARTBEAT_INTERVAL_SECONDS_MAX);
        let timeout_max = u64::from(limits::COMMAND_TIMEOUT_SECONDS_MAX);
        let heartbeat = self.heartbeat_interval.as_secs();
        let checks = [
            (
                (1..=heartbeat_max).contains(&heartbeat)
                    && self.heartbeat_interval.subsec_nanos() == 0,
                format!("the heartbeat interval must be 1 to {heartbeat_max} whole seconds"),
            ),
            (
                (1..=timeout_max).contains(&self.command_timeout.as_secs()),
                format!("the command time-out must be 1 to {timeout_max} seconds"),
            ),
            (
                self.worker_silent_after >= self.heartbeat_interval,
                "workers must not count as silent before a heartbeat is due".to_owned(),
            ),
            (
                self.handshakes_max > 0 && self.links_per_agent_max > 0,
                "at least one handshake and one link per agent must be allowed".to_owned(),
            ),
            (
                self.commit_linger <= Duration::from_secs(1),
                "the commit linger must be at most one second".to_owned(),
            ),
        ];
        checks
            .into_iter()
            .filter(|(holds, _)| !holds)
            .map(|(_, problem)| problem)
            .collect()
    }
}
