//! Mistakes that an agent can make, to see that they are found.

/// A mistake of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentBug {
    /// The replay guard is empty again at every frame.
    GuardForgotten,
    /// The replay guard of the last session judges the next one.
    GuardKept,
    /// What a full buffer drops is not declared.
    EvictionNotDeclared,
    /// A batch is deleted when it is sent, not when it is acknowledged.
    ResumeAtSent,
    /// An ack for any batch is taken for the oldest one.
    AckTakenForOldest,
}
