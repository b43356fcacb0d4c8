//! What becomes of one frame: spoiled, recorded, played again.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::cable::Cable;
use super::pipe::Item;
use super::weather::{BrainNo, Direction, LinkNo, ProcessNo, Weather};
use super::{RECORDED_MAX, State};
use crate::sim::record::Record;
use crate::sim::{Chance, Situation};

/// A frame that was sent.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    link: LinkNo,
    process: ProcessNo,
    brain: BrainNo,
    direction: Direction,
    bytes: Bytes,
}

/// The frame as it will arrive, and whether in order.
pub(super) fn spoil(
    chance: &mut Chance,
    weather: &Weather,
    frame: &Bytes,
    record: &Record,
    cable: &Cable,
) -> (Item, bool) {
    let mut bytes = frame.to_vec();
    let mut is_own = true;
    if chance.happens(weather.flip) {
        let at = chance.index(bytes.len());
        let bit = chance.below(8);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
        }
        is_own = false;
        record.meet(Situation::Flipped);
    }
    if chance.happens(weather.truncate) {
        bytes.truncate(chance.index(bytes.len()));
        is_own = false;
        record.meet(Situation::Truncated);
    }
    let in_order = !chance.happens(weather.reorder);
    if !in_order {
        record.meet(Situation::Reordered);
    }
    if !is_own || !in_order {
        cable.damage();
    }
    let bytes = bytes.into();
    (Item::Frame { bytes, is_own }, in_order)
}

impl State {
    pub(super) fn remember(&mut self, cable: &Cable, direction: Direction, frame: &Bytes) {
        if self.recorded.len() >= RECORDED_MAX {
            self.recorded.pop_front();
        }
        self.recorded.push_back(Recorded {
            link: cable.no,
            process: cable.process,
            brain: cable.brain,
            direction,
            bytes: frame.clone(),
        });
    }

    /// A recorded frame for a link, and where it comes from. Of the kinds that there are each comes as often.
    pub(super) fn recall(
        &mut self,
        cable: &Cable,
        direction: Direction,
    ) -> Option<(Bytes, Situation)> {
        let mut kinds: BTreeMap<Situation, Vec<&Recorded>> = BTreeMap::new();
        for recorded in &self.recorded {
            let kind = recorded.situation(cable, direction);
            kinds.entry(kind).or_default().push(recorded);
        }
        let kinds: Vec<_> = kinds.into_iter().collect();
        let (situation, frames) = self.chance.pick(&kinds)?;
        let recorded = self.chance.pick(frames)?;
        Some((recorded.bytes.clone(), *situation))
    }
}

impl Recorded {
    /// What it would be to replay this on `cable`.
    fn situation(&self, cable: &Cable, direction: Direction) -> Situation {
        if self.process != cable.process {
            Situation::ReplayOtherProcess
        } else if self.direction != direction {
            Situation::ReplayOtherDirection
        } else if self.brain != cable.brain {
            Situation::ReplayOtherBrain
        } else if self.link != cable.no {
            Situation::ReplayNewSession
        } else {
            Situation::ReplaySameSession
        }
    }
}
