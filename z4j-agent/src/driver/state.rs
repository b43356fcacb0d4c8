//! What the outside may know of an agent.

use z4j_core::session::FailureClass;

/// Where the link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// The agent waits before it dials again, because of this.
    Waiting(Option<FailureClass>),
    /// Dialling, or waiting for the answer to hello.
    Connecting,
    /// Signed frames flow.
    Connected,
    /// The agent has stopped.
    Stopped,
}

/// What the outside may know of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentState {
    /// Where the link stands.
    pub link: LinkState,
    /// Events that the brain has not acknowledged.
    pub buffered_events: usize,
    /// Events that were lost and are declared so.
    pub lost_events: u64,
}

impl std::fmt::Display for LinkState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Waiting(_) => "waiting",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Stopped => "stopped",
        })
    }
}
