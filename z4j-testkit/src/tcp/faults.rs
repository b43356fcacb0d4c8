//! Which faults a seed brings, and when.

use std::time::Duration;

use crate::glue::Chance;

/// A fault that lasts for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When it begins, counted from the start.
    pub begins_at: Duration,
    /// When it is over.
    pub ends_at: Duration,
    /// What it is.
    pub kind: FaultKind,
}

/// What goes wrong. Numbers are places in the lists of agents and brains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Nothing passes between an agent and a brain.
    Partition {
        /// Which agent.
        agent: usize,
        /// Which brain.
        brain: usize,
    },
    /// Nothing passes from an agent to a brain.
    DeafBrain {
        /// Which agent.
        agent: usize,
        /// Which brain.
        brain: usize,
    },
    /// Nothing passes from a brain to an agent.
    DeafAgent {
        /// Which agent.
        agent: usize,
        /// Which brain.
        brain: usize,
    },
    /// Nothing arrives, and everything at the end of it.
    Hold {
        /// Which agent.
        agent: usize,
        /// Which brain.
        brain: usize,
    },
    /// An agent's process is gone.
    AgentDown {
        /// Which agent.
        agent: usize,
    },
    /// A brain's process is gone.
    BrainDown {
        /// Which brain.
        brain: usize,
    },
    /// The network takes an agent to the other brain the next time that it dials.
    Moved {
        /// Which agent.
        agent: usize,
    },
}

/// A link across which nothing passes is known to be dead after three of the heartbeats that a brain asks for (I-14),
/// and shown so five seconds later.
pub(super) const DEAD_KNOWN_WITHIN: Duration = Duration::from_secs(95);
const SECOND: Duration = Duration::from_secs(1);

/// Draws the faults of a seed: about one for every twelve seconds. Those that leave dead links behind end early enough
/// for these to be found before `fault_time` is over.
pub(super) fn draw(
    chance: &mut Chance,
    agents: usize,
    brains: usize,
    fault_time: Duration,
) -> Vec<Fault> {
    let count = fault_time.as_secs() / 12;
    let mut faults: Vec<Fault> = (0..count)
        .filter_map(|_| one(chance, agents, brains, fault_time))
        .collect();
    faults.sort_by_key(|fault| fault.begins_at);
    faults
}

fn one(chance: &mut Chance, agents: usize, brains: usize, fault_time: Duration) -> Option<Fault> {
    let (agent, brain) = (chance.index(agents), chance.index(brains));
    let (kind, leaves_dead_links) = match chance.below(10) {
        0 | 1 => (FaultKind::Partition { agent, brain }, true),
        2 => (FaultKind::DeafBrain { agent, brain }, true),
        3 => (FaultKind::DeafAgent { agent, brain }, true),
        4 | 5 => (FaultKind::Hold { agent, brain }, false),
        6 => (FaultKind::AgentDown { agent }, false),
        7 | 8 => (FaultKind::BrainDown { brain }, false),
        _ => (FaultKind::Moved { agent }, false),
    };
    let lasts = match chance.below(3) {
        0 => chance.between(SECOND, SECOND * 5),
        1 => chance.between(SECOND * 5, SECOND * 40),
        _ if leaves_dead_links => chance.between(DEAD_KNOWN_WITHIN + SECOND, SECOND * 120),
        _ => chance.between(SECOND * 5, SECOND * 20),
    };
    let last_end = if leaves_dead_links {
        fault_time.checked_sub(DEAD_KNOWN_WITHIN)?
    } else {
        fault_time
    };
    let last_begin = last_end.checked_sub(lasts)?;
    let begins_at = chance.between(SECOND * 3, last_begin.max(SECOND * 4));
    let ends_at = begins_at + lasts;
    (ends_at <= last_end).then_some(Fault {
        begins_at,
        ends_at,
        kind,
    })
}
