//! A link as the network sees it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::pipe::Pipe;
use super::weather::{BrainNo, Direction, LinkNo, ProcessNo};

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Up,
    /// Both ends were told.
    Cut,
    /// Nobody was told, and nothing passes any more.
    Silent,
}

#[derive(Debug)]
struct State {
    standing: Standing,
    /// Since when nothing can pass in one of the directions.
    stuck_since: Option<Duration>,
    /// Since when nothing can pass to the brain.
    unheard_since: Option<Duration>,
    /// A frame of it vanished or was spoiled, which a real link does not survive.
    is_damaged: bool,
    agent_is_there: bool,
    brain_is_there: bool,
}

/// A link as the network sees it.
#[derive(Debug)]
pub(super) struct Cable {
    pub(super) no: LinkNo,
    pub(super) process: ProcessNo,
    pub(super) brain: BrainNo,
    up: Pipe,
    down: Pipe,
    state: Mutex<State>,
}

impl Cable {
    pub(super) fn new(no: LinkNo, process: ProcessNo, brain: BrainNo) -> Self {
        Self {
            no,
            process,
            brain,
            up: Pipe::default(),
            down: Pipe::default(),
            state: Mutex::new(State {
                standing: Standing::Up,
                stuck_since: None,
                unheard_since: None,
                is_damaged: false,
                agent_is_there: true,
                brain_is_there: true,
            }),
        }
    }

    pub(super) const fn pipe(&self, direction: Direction) -> &Pipe {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    /// Both ends learn that the link is lost.
    pub(super) fn cut(&self) {
        self.lock().standing = Standing::Cut;
        self.wake();
    }

    /// Nothing passes any more, and nobody is told.
    pub(super) fn fall_silent(&self, now: Duration) {
        let mut state = self.lock();
        if state.standing == Standing::Up {
            state.standing = Standing::Silent;
            state.stuck_since.get_or_insert(now);
            state.unheard_since.get_or_insert(now);
        }
        drop(state);
        self.wake();
    }

    pub(super) fn is_cut(&self) -> bool {
        self.lock().standing == Standing::Cut
    }

    pub(super) fn is_silent(&self) -> bool {
        self.lock().standing == Standing::Silent
    }

    /// Says which of the directions are blocked now.
    pub(super) fn set_blocked(&self, up: bool, down: bool, now: Duration) {
        let mut state = self.lock();
        if up {
            state.unheard_since.get_or_insert(now);
        } else if state.standing == Standing::Up {
            state.unheard_since = None;
        }
        if up || down {
            state.stuck_since.get_or_insert(now);
        } else if state.standing == Standing::Up {
            state.stuck_since = None;
        }
        drop(state);
        self.wake();
    }

    /// Since when nothing passes in one of the directions.
    pub(super) fn stuck_since(&self) -> Option<Duration> {
        self.lock().stuck_since
    }

    /// Since when nothing passes to the brain.
    pub(super) fn unheard_since(&self) -> Option<Duration> {
        self.lock().unheard_since
    }

    pub(super) fn damage(&self) {
        self.lock().is_damaged = true;
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.lock().is_damaged
    }

    /// An end was dropped.
    pub(super) fn leave(&self, sender_of: Direction) {
        let mut state = self.lock();
        match sender_of {
            Direction::Up => state.agent_is_there = false,
            Direction::Down => state.brain_is_there = false,
        }
    }

    /// Whether the brain holds its end.
    pub(super) fn brain_is_there(&self) -> bool {
        self.lock().brain_is_there
    }

    /// Whether an end is held by anybody.
    pub(super) fn is_held(&self) -> bool {
        let state = self.lock();
        state.agent_is_there || state.brain_is_there
    }

    /// Whether the agent and the brain both hold their ends.
    pub(super) fn is_whole(&self) -> bool {
        let state = self.lock();
        state.agent_is_there && state.brain_is_there && state.standing == Standing::Up
    }

    fn wake(&self) {
        self.up.wake();
        self.down.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
