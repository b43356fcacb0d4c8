//! What the network does to frames, and where.

use std::time::Duration;

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// From an agent to a brain.
    Up,
    /// From a brain to an agent.
    Down,
}

impl Direction {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A simulated process with an agent in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProcessNo(pub(crate) u32);

/// A simulated brain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BrainNo(pub(crate) u32);

/// A link of the simulated network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkNo(pub(crate) u32);

/// Which paths an effect is on. Empty members do not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) process: Option<ProcessNo>,
    pub(crate) brain: Option<BrainNo>,
    pub(crate) direction: Option<Direction>,
}

impl Scope {
    pub(crate) fn covers(&self, process: ProcessNo, brain: BrainNo, direction: Direction) -> bool {
        self.process.is_none_or(|wanted| wanted == process)
            && self.brain.is_none_or(|wanted| wanted == brain)
            && self.direction.is_none_or(|wanted| wanted == direction)
    }
}

/// What happens to the frames of a path. Rates are in thousandths of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing passes; it waits.
    Block,
    /// Every frame takes this much longer.
    Slow(Duration),
    /// Frames vanish.
    Lose(u64),
    /// Acks vanish.
    LoseAcks(u64),
    /// Frames come twice.
    Duplicate(u64),
    /// Frames are overtaken.
    Reorder(u64),
    /// A bit flips.
    Flip(u64),
    /// The end is missing.
    Truncate(u64),
    /// A recorded frame comes in between.
    Replay(u64),
}

/// All effects on one path and direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) is_blocked: bool,
    pub(crate) slower: Duration,
    pub(crate) lose: u64,
    pub(crate) lose_acks: u64,
    pub(crate) duplicate: u64,
    pub(crate) reorder: u64,
    pub(crate) flip: u64,
    pub(crate) truncate: u64,
    pub(crate) replay: u64,
}

impl Weather {
    pub(crate) fn add(&mut self, effect: Effect) {
        match effect {
            Effect::Block => self.is_blocked = true,
            Effect::Slow(more) => self.slower = self.slower.max(more),
            Effect::Lose(rate) => self.lose = self.lose.max(rate),
            Effect::LoseAcks(rate) => self.lose_acks = self.lose_acks.max(rate),
            Effect::Duplicate(rate) => self.duplicate = self.duplicate.max(rate),
            Effect::Reorder(rate) => self.reorder = self.reorder.max(rate),
            Effect::Flip(rate) => self.flip = self.flip.max(rate),
            Effect::Truncate(rate) => self.truncate = self.truncate.max(rate),
            Effect::Replay(rate) => self.replay = self.replay.max(rate),
        }
    }
}
