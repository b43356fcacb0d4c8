//! Faults of the network: begun, ended, healed.

use super::cable::Cable;
use super::weather::{Direction, Effect, Scope, Weather};
use super::{Ending, Network};
use crate::sim::Situation;

impl Network {
    /// Puts an effect on paths until it is ended.
    pub(crate) fn begin(&self, fault: u32, scope: Scope, effect: Effect) {
        self.lock().effects.insert(fault, (scope, effect));
        self.apply_blocks(Ending::Burst);
    }

    /// Takes an effect away.
    pub(crate) fn end(&self, fault: u32, ending: Ending) {
        if self.lock().effects.remove(&fault).is_some() {
            self.apply_blocks(ending);
        }
    }

    /// Takes every effect away. Links that lost frames are reset: a real one would not have survived that.
    pub(crate) fn heal(&self) {
        self.lock().effects.clear();
        let now = self.record.elapsed();
        for cable in self.cables() {
            cable.pipe(Direction::Up).hurry(now);
            cable.pipe(Direction::Down).hurry(now);
            if cable.is_silent() || cable.is_damaged() {
                cable.cut();
            }
        }
        self.apply_blocks(Ending::Burst);
    }

    fn apply_blocks(&self, ending: Ending) {
        let now = self.record.elapsed();
        for cable in self.cables() {
            let blocked = |direction| self.weather(&cable, direction).is_blocked;
            let (up, down) = (blocked(Direction::Up), blocked(Direction::Down));
            let was_stuck = cable.stuck_since().is_some();
            let opens = was_stuck && !up && !down && !cable.is_silent();
            match ending {
                Ending::Reset if opens => cable.cut(),
                Ending::Silence if opens => {
                    self.record.meet(Situation::HalfOpen);
                    cable.fall_silent(now);
                }
                Ending::Burst | Ending::Silence | Ending::Reset => {}
            }
            let released: usize = [(Direction::Up, up), (Direction::Down, down)]
                .into_iter()
                .filter(|(_, is_blocked)| !is_blocked)
                .map(|(direction, _)| cable.pipe(direction).release(now))
                .sum();
            if released > 0 && opens && !cable.is_cut() {
                self.record.meet(Situation::LateBurst);
            }
            cable.set_blocked(up, down, now);
        }
    }

    pub(super) fn weather(&self, cable: &Cable, direction: Direction) -> Weather {
        let mut weather = Weather::default();
        for (scope, effect) in self.lock().effects.values() {
            if scope.covers(cable.process, cable.brain, direction) {
                weather.add(*effect);
            }
        }
        weather
    }
}
