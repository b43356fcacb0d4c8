//! Drives a run: faults in time, then healing, then the wait until all is settled.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Situation;
use super::brain::{Brains, HEARTBEAT_SECONDS};
use super::fleet::{Fleet, SlotNo};
use super::network::{BrainNo, Effect, Network, Scope};
use super::oracle::Oracle;
use super::plan::{Episode, Fault, Plan};
use super::readiness::is_ready;
use super::store::{StoreFault, StoreWeather};

/// After the last fault all must be settled within this (I-15).
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// How much longer when a handshake was spoiled, which no MAC protects: an agent that read another protocol version waits two
/// minutes and up to three tenths of that (wire §1.2), and whoever changes nothing else cannot make it try sooner.
const INCOMPATIBLE_WAIT_MAX: Duration = Duration::from_secs(156);
/// How often it is looked at whether all is settled, and whether dead links were found.
const LOOK: Duration = Duration::from_millis(500);
/// A dead link may be held this long (I-14): three heartbeats, and the goodbye that nobody answers.
const DEAD_LINK_MAX: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS + 3);

/// A brain must know after this long that its database takes no writes: it probes every fifteen seconds.
const FAULT_KNOWN_MAX: Duration = Duration::from_secs(17);

/// Drives a run.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) plan: Plan,
    pub(crate) network: Network,
    pub(crate) brains: Arc<Brains>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) store: StoreWeather,
    /// Episodes in force.
    pub(crate) in_force: BTreeSet<u32>,
    /// A store that is slow keeps a brain from noticing anything in time.
    pub(crate) is_excused: bool,
}

impl Driver {
    /// The time of faults.
    pub(crate) async fn chaos(&mut self) {
        let mut steps: Vec<(Duration, bool, usize)> = Vec::new();
        for (index, episode) in self.plan.episodes.iter().enumerate() {
            steps.push((episode.at, true, index));
            steps.push((episode.at + episode.lasts, false, index));
        }
        steps.sort_unstable();
        let begin = tokio::time::Instant::now();
        for (at, begins, index) in steps {
            if at >= self.plan.chaos {
                break;
            }
            self.wait_until(begin + at).await;
            let Some(episode) = self.plan.episodes.get(index).cloned() else {
                continue;
            };
            if begins {
                self.begin(&episode).await;
            } else {
                self.check_told_truth(&episode).await;
                self.end(&episode);
            }
        }
        self.wait_until(begin + self.plan.chaos).await;
    }

    /// Everything is put right: what is dead starts again, clocks are true, links that lost frames are reset.
    pub(crate) fn heal(&mut self) {
        let record = self.oracle.record();
        record.note(format_args!("heal"));
        self.in_force.clear();
        self.store.heal();
        for brain in self.brains.all() {
            self.brains.set_ahead(brain, 0);
            if let Err(error) = self.brains.start(brain) {
                record.violate(
                    "recovers",
                    format!("brain {} cannot start: {error}", brain.0),
                );
            }
        }
        for slot in self.fleet.slots() {
            slot.clock.set_ahead(0);
            if let Err(error) = self.fleet.start(slot.no) {
                record.violate(
                    "recovers",
                    format!("slot {} cannot start: {error}", slot.no.0),
                );
            }
        }
        self.network.heal();
    }

    /// Waits until every buffer is empty and every command settled.
    pub(crate) async fn settle(&self) {
        let begin = tokio::time::Instant::now();
        let mut limit = SETTLE_MAX;
        if self.network.is_handshake_spoiled() {
            limit += INCOMPATIBLE_WAIT_MAX;
        }
        while !self.is_settled() {
            if begin.elapsed() >= limit {
                let buffered = self.fleet.buffered();
                let detail = format!(
                    "after {} s: buffered {buffered:?}, commands {:?}",
                    limit.as_secs(),
                    self.open()
                );
                return self.oracle.record().violate("recovers", detail);
            }
            tokio::time::sleep(LOOK).await;
            self.brains.check_alive();
        }
        self.oracle.record().note(format_args!("settled"));
    }

    fn is_settled(&self) -> bool {
        self.fleet.buffered().is_empty() && self.open().is_empty()
    }

    /// Commands that are written and have no end yet.
    fn open(&self) -> Vec<String> {
        self.oracle.look(|facts| {
            let commands = facts.commands.values();
            let open =
                commands.filter(|command| command.state.is_some_and(|state| !state.is_terminal()));
            open.map(|command| command.issued.id.to_string()).collect()
        })
    }

    async fn wait_until(&self, at: tokio::time::Instant) {
        while tokio::time::Instant::now() < at {
            let next = tokio::time::Instant::now() + 4 * LOOK;
            tokio::time::sleep_until(next.min(at)).await;
            self.brains.check_alive();
            self.check_dead_links();
        }
    }

    /// While the database takes no writes every brain says that it is not ready.
    async fn check_told_truth(&self, episode: &Episode) {
        let is_down = matches!(episode.fault, Fault::Store(StoreFault::Down(_)));
        if !is_down || episode.lasts < FAULT_KNOWN_MAX {
            return;
        }
        for no in self.brains.up() {
            let Some(brain) = self.brains.brain(no) else {
                continue;
            };
            if is_ready(&brain).await {
                let detail = format!(
                    "brain {} says that it is ready, on {:?}",
                    no.0, episode.fault
                );
                self.oracle.record().violate("told_truth", detail);
            } else {
                self.oracle.record().meet(Situation::NotReady);
            }
        }
    }

    /// At the end every brain says that it is ready.
    pub(crate) async fn check_ready(&self) {
        for no in self.brains.up() {
            if let Some(brain) = self.brains.brain(no)
                && !is_ready(&brain).await
            {
                let detail = format!("brain {} is not ready although all is well", no.0);
                self.oracle.record().violate("told_truth", detail);
            }
        }
    }

    fn check_dead_links(&self) {
        let now = self.oracle.record().elapsed();
        let Some(since) = now.checked_sub(DEAD_LINK_MAX) else {
            return;
        };
        if self.is_excused {
            return;
        }
        for (link, brain, unheard) in self.network.unheard_before(since) {
            let detail = format!(
                "brain {} holds link {} although nothing came for {:?}",
                brain.0,
                link.0,
                now.saturating_sub(unheard)
            );
            self.oracle.record().violate("dead_link_found", detail);
        }
    }

    async fn begin(&mut self, episode: &Episode) {
        let record = self.oracle.record().clone();
        record.note(format_args!("fault {} {:?}", episode.number, episode.fault));
        self.in_force.insert(episode.number);
        if self.in_force.len() > 1 {
            record.meet(Situation::TwoFaults);
        }
        match &episode.fault {
            Fault::Weather(slot, scope, effect, _) => self.weather(episode, *slot, *scope, *effect),
            Fault::Cut(slot, brain, is_told) => self.cut(*slot, *brain, *is_told),
            Fault::BrainCrash(brain, is_told) => self.brains.crash(*brain, *is_told),
            Fault::BrainStop(brain) => self.brains.stop(*brain).await,
            Fault::ProcessCrash(slot, is_told) => self.fleet.kill(*slot, *is_told),
            Fault::Adopt(slot) => {
                // What it observes last is never sent by itself.
                self.fleet.last_words(*slot, episode.number);
                self.fleet.kill(*slot, true);
                self.fleet.adopt(*slot);
            }
            Fault::Move(slot, brain) => {
                self.fleet.move_to(*slot, *brain);
                self.cut(Some(*slot), None, true);
            }
            Fault::AgentClock(slot, micros) => {
                if let Some(slot) = self.fleet.slot(*slot) {
                    slot.clock.set_ahead(*micros);
                }
                if micros.abs() > 60_000_000 {
                    record.meet(Situation::SkewRefused);
                }
            }
            Fault::BrainClock(brain, micros) => {
                self.brains.set_ahead(*brain, *micros);
                record.meet(Situation::BrainClockJump);
            }
            Fault::Store(fault) => {
                self.is_excused = true;
                self.store.begin(episode.number, *fault);
            }
        }
    }

    fn end(&mut self, episode: &Episode) {
        let record = self.oracle.record().clone();
        record.note(format_args!("over {}", episode.number));
        self.in_force.remove(&episode.number);
        match &episode.fault {
            Fault::Weather(_, _, _, ending) => self.network.end(episode.number, *ending),
            Fault::BrainCrash(brain, _) | Fault::BrainStop(brain) => {
                if let Err(error) = self.brains.start(*brain) {
                    let detail = format!("brain {} cannot start: {error}", brain.0);
                    record.violate("recovers", detail);
                }
            }
            Fault::ProcessCrash(slot, _) | Fault::Adopt(slot) => {
                if let Err(error) = self.fleet.start(*slot) {
                    let detail = format!("slot {} cannot start: {error}", slot.0);
                    record.violate("recovers", detail);
                }
            }
            Fault::AgentClock(slot, _) => {
                if let Some(slot) = self.fleet.slot(*slot) {
                    slot.clock.set_ahead(0);
                }
            }
            Fault::BrainClock(brain, _) => self.brains.set_ahead(*brain, 0),
            Fault::Store(_) => self.store.end(episode.number),
            Fault::Cut(..) | Fault::Move(..) => {}
        }
    }

    fn weather(&mut self, episode: &Episode, slot: Option<SlotNo>, scope: Scope, effect: Effect) {
        if matches!(effect, Effect::Slow(_)) {
            self.is_excused = true;
        }
        let process = slot.and_then(|slot| self.fleet.process(slot));
        let scope = Scope { process, ..scope };
        self.network.begin(episode.number, scope, effect);
    }

    fn cut(&self, slot: Option<SlotNo>, brain: Option<BrainNo>, is_told: bool) {
        let process = slot.and_then(|slot| self.fleet.process(slot));
        self.network.drop_links(is_told, |of| {
            process.is_none_or(|process| process == of.process)
                && brain.is_none_or(|brain| brain == of.brain)
        });
    }
}
