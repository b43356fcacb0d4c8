//! What a seed decides: who is there, and what goes wrong when.

use std::time::Duration;

use z4j_core::store::StoreErrorKind;

use super::Chance;
use super::fleet::{AgentKind, SlotNo};
use super::network::{BrainNo, Direction, Effect, Ending, Scope};
use super::store::StoreFault;

/// A deployment of an agent.
#[derive(Clone, Debug)]
pub(crate) struct SlotPlan {
    pub(crate) no: SlotNo,
    pub(crate) kind: AgentKind,
    /// Which agent's credential it has; several may share one.
    pub(crate) agent: u32,
    pub(crate) entries_max: usize,
    pub(crate) home: BrainNo,
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Of every link of the slot's process, or of all.
    Weather(Option<SlotNo>, Scope, Effect, Ending),
    /// Links are lost.
    Cut(Option<SlotNo>, Option<BrainNo>, bool),
    BrainCrash(BrainNo, bool),
    BrainStop(BrainNo),
    ProcessCrash(SlotNo, bool),
    /// The process is dead until a sibling has taken its buffer.
    Adopt(SlotNo),
    Move(SlotNo, BrainNo),
    AgentClock(SlotNo, i64),
    BrainClock(BrainNo, i64),
    Store(StoreFault),
}

/// A fault and its time.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    pub(crate) number: u32,
    pub(crate) at: Duration,
    pub(crate) lasts: Duration,
    pub(crate) fault: Fault,
}

/// What a seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) brains: Vec<BrainNo>,
    /// The project of each agent, by number.
    pub(crate) agents: Vec<u32>,
    pub(crate) projects: u32,
    pub(crate) slots: Vec<SlotPlan>,
    pub(crate) chaos: Duration,
    pub(crate) episodes: Vec<Episode>,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "plan");
        let brains = if chance.happens(600) { 2 } else { 1 };
        let brains: Vec<BrainNo> = (1..=brains).map(BrainNo).collect();
        let projects = if chance.happens(300) { 2 } else { 1 };
        let (slots, agents) = deploy(&mut chance, &brains, projects);
        let chaos = if chance.happens(200) {
            chance.ms(100_000, 200_000)
        } else {
            chance.ms(25_000, 80_000)
        };
        let mut plan = Self {
            brains,
            agents,
            projects,
            slots,
            chaos,
            episodes: Vec::new(),
        };
        plan.schedule(&mut chance);
        plan
    }

    fn schedule(&mut self, chance: &mut Chance) {
        let count = chance.between(1, 6);
        let end = u64::try_from(self.chaos.as_millis()).unwrap_or(u64::MAX);
        for number in 1..=count {
            let fault = self.fault(chance);
            let mut at = chance.between(2_000, end * 9 / 10);
            if let Some(last) = self.episodes.last()
                && chance.happens(500)
            {
                // Two at once: the second begins while the first is in force.
                let begin = u64::try_from(last.at.as_millis()).unwrap_or(0);
                let lasts = u64::try_from(last.lasts.as_millis()).unwrap_or(0);
                at = begin + chance.below(lasts.max(1));
            }
            let loses = matches!(
                fault,
                Fault::Weather(_, _, Effect::LoseAcks(_) | Effect::Lose(_), _)
            );
            if loses && end > 100_000 {
                // Early enough for the agents to send again on the same link.
                at = chance.between(2_000, 8_000);
            }
            let lasts = match &fault {
                Fault::Weather(_, _, Effect::Slow(_) | Effect::Block, _) if chance.happens(250) => {
                    chance.ms(40_000, 100_000)
                }
                Fault::BrainClock(..)
                | Fault::AgentClock(..)
                | Fault::Store(StoreFault::Down(_)) => chance.ms(5_000, 40_000),
                _ => chance.ms(500, 25_000),
            };
            self.episodes.push(Episode {
                number: u32::try_from(number).unwrap_or(u32::MAX),
                at: Duration::from_millis(at.min(end)),
                lasts,
                fault,
            });
        }
    }

    fn fault(&self, chance: &mut Chance) -> Fault {
        let brain = chance.pick(&self.brains).copied().unwrap_or(BrainNo(1));
        let slots: Vec<SlotNo> = self.slots.iter().map(|slot| slot.no).collect();
        let slot = chance.pick(&slots).copied().unwrap_or(SlotNo(1));
        let is_told = chance.happens(650);
        match chance.below(100) {
            0..40 => self.weather(chance, slot, brain),
            40..46 => {
                let of_slot = chance.happens(500).then_some(slot);
                let of_brain = chance.happens(300).then_some(brain);
                Fault::Cut(of_slot, of_brain, is_told)
            }
            46..60 => Fault::BrainCrash(brain, is_told),
            60..64 => Fault::BrainStop(brain),
            64..71 => Fault::ProcessCrash(slot, is_told),
            71..75 => Fault::Adopt(slot),
            75..79 => Fault::Move(slot, brain),
            79..84 => {
                let skew = [59, -59, 61, -61, 3_600, -20];
                let seconds = chance.pick(&skew).copied().unwrap_or(59);
                Fault::AgentClock(slot, seconds * 1_000_000)
            }
            84..88 => {
                let skew = [3_600, -3_600, 30, -30];
                let seconds = chance.pick(&skew).copied().unwrap_or(30);
                Fault::BrainClock(brain, seconds * 1_000_000)
            }
            _ => Fault::Store(store_fault(chance)),
        }
    }

    fn weather(&self, chance: &mut Chance, slot: SlotNo, brain: BrainNo) -> Fault {
        let of_slot = chance.happens(600).then_some(slot);
        let mut scope = Scope {
            process: None,
            brain: chance.happens(300).then_some(brain),
            direction: None,
        };
        let ending = match chance.below(3) {
            0 => Ending::Burst,
            1 => Ending::Silence,
            _ => Ending::Reset,
        };
        let rate = chance.between(20, 200);
        let effect = match chance.below(15) {
            0..3 => {
                let directions = [None, Some(Direction::Up), Some(Direction::Down)];
                scope.direction = chance.pick(&directions).copied().flatten();
                Effect::Block
            }
            3 => {
                let slower = [500, 4_000, 30_000, 89_000, 91_000];
                let slower = chance.pick(&slower).copied().unwrap_or(500);
                scope.direction = Some(Direction::Down);
                Effect::Slow(Duration::from_millis(slower))
            }
            4 => Effect::Lose(rate),
            5..7 => Effect::LoseAcks(rate * 3),
            7 => Effect::Duplicate(rate),
            8 => Effect::Reorder(rate),
            9 => Effect::Flip(rate),
            10 => Effect::Truncate(rate),
            _ => Effect::Replay(rate * 2),
        };
        Fault::Weather(of_slot, scope, effect, ending)
    }
}

fn store_fault(chance: &mut Chance) -> StoreFault {
    let rate = chance.between(100, 700);
    match chance.below(7) {
        0 => StoreFault::FailBefore(rate),
        1..4 => StoreFault::FailAfter(rate),
        4 => StoreFault::Stall(rate, chance.ms(1_000, 12_000)),
        _ => {
            let kinds = [
                StoreErrorKind::Unavailable,
                StoreErrorKind::Full,
                StoreErrorKind::ReadOnly,
            ];
            let kind = chance.pick(&kinds).copied();
            StoreFault::Down(kind.unwrap_or(StoreErrorKind::Unavailable))
        }
    }
}

fn deploy(chance: &mut Chance, brains: &[BrainNo], projects: u32) -> (Vec<SlotPlan>, Vec<u32>) {
    let count = chance.between(2, 5);
    let mut slots: Vec<SlotPlan> = Vec::new();
    let mut agents = Vec::new();
    for number in 1..=count {
        let kind = match number {
            1 => AgentKind::Stock,
            2 => AgentKind::Rust,
            _ if chance.happens(600) => AgentKind::Stock,
            _ => AgentKind::Rust,
        };
        let known = u64::try_from(agents.len()).unwrap_or(0);
        let shared = (known > 0 && chance.happens(250)).then(|| chance.below(known));
        let agent = shared.and_then(|agent| u32::try_from(agent).ok());
        let agent = agent.unwrap_or_else(|| {
            let project = chance.below(u64::from(projects));
            agents.push(u32::try_from(project).unwrap_or(0));
            u32::try_from(agents.len() - 1).unwrap_or(0)
        });
        let entries_max = if chance.happens(150) {
            chance.index(16) + 4
        } else {
            10_000
        };
        slots.push(SlotPlan {
            no: SlotNo(u32::try_from(number).unwrap_or(0)),
            kind,
            agent,
            entries_max,
            home: chance.pick(brains).copied().unwrap_or(BrainNo(1)),
        });
    }
    (slots, agents)
}
