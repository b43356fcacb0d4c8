//! The network between agents and brains: it owns time, order and faults of every frame.

mod cable;
mod ends;
mod fate;
mod faults;
mod pipe;
mod weather;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use z4j_brain::Brain;
use z4j_core::transport::{CloseReason, Link, PeerInfo, TransportError, TransportErrorKind};

use super::oracle::Oracle;
use super::record::{Record, digest};
use super::{Chance, Situation};
use cable::Cable;
use ends::{SimSink, SimSource};
use fate::{Recorded, spoil};
use pipe::Item;
pub(crate) use weather::{BrainNo, Direction, Effect, LinkNo, ProcessNo, Scope, Weather};

/// Frames that are recorded, to be replayed.
const RECORDED_MAX: usize = 200;
/// How long a dial into a partition hangs.
const DIAL_WAIT: Duration = Duration::from_secs(15);
/// A frame takes this many milliseconds, from and to.
const DELAY_MS: (u64, u64) = (1, 15);
/// A process dials its own brain in so many of a thousand cases, as a load balancer that remembers would.
const HOME_PERMILLE: u64 = 800;

/// Where the links to a brain come in.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) brain: Brain,
    pub(crate) tasks: Arc<Mutex<JoinSet<()>>>,
}

/// What becomes of a partition's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What was held back arrives.
    Burst,
    /// The links stay dead, and nobody is told.
    Silence,
    /// Both ends are told that the links are lost.
    Reset,
}

#[derive(Debug)]
struct State {
    chance: Chance,
    cables: BTreeMap<LinkNo, Arc<Cable>>,
    next_link: u32,
    effects: BTreeMap<u32, (Scope, Effect)>,
    recorded: VecDeque<Recorded>,
    doors: BTreeMap<BrainNo, Door>,
    homes: BTreeMap<ProcessNo, BrainNo>,
    dead: BTreeSet<ProcessNo>,
    is_handshake_spoiled: bool,
}

/// The network. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    record: Record,
    oracle: Arc<Oracle>,
    state: Arc<Mutex<State>>,
}

impl Network {
    pub(crate) fn new(seed: u64, record: Record, oracle: Arc<Oracle>) -> Self {
        Self {
            record,
            oracle,
            state: Arc::new(Mutex::new(State {
                chance: Chance::new(seed, "network"),
                cables: BTreeMap::new(),
                next_link: 1,
                effects: BTreeMap::new(),
                recorded: VecDeque::new(),
                doors: BTreeMap::new(),
                homes: BTreeMap::new(),
                dead: BTreeSet::new(),
                is_handshake_spoiled: false,
            })),
        }
    }

    pub(super) const fn record(&self) -> &Record {
        &self.record
    }

    // ---- brains and processes -------------------------------------------------------------------

    /// A brain takes links.
    pub(crate) fn open(&self, brain: BrainNo, door: Door) {
        self.lock().doors.insert(brain, door);
    }

    /// A brain is gone. `is_told`: its machine lives and resets the links; else they fall silent.
    pub(crate) fn brain_down(&self, brain: BrainNo, is_told: bool) {
        self.lock().doors.remove(&brain);
        self.drop_links(is_told, |of| of.brain == brain);
    }

    /// A process is gone.
    pub(crate) fn process_down(&self, process: ProcessNo, is_told: bool) {
        self.lock().dead.insert(process);
        self.drop_links(is_told, |of| of.process == process);
    }

    /// Which brain a process dials first.
    pub(crate) fn set_home(&self, process: ProcessNo, brain: BrainNo) {
        self.lock().homes.insert(process, brain);
    }

    /// Cuts links, so that both ends are told, or so that none is.
    pub(crate) fn drop_links(&self, is_told: bool, which: impl Fn(&ProcessAndBrain) -> bool) {
        let now = self.record.elapsed();
        for cable in self.cables() {
            let of = ProcessAndBrain {
                process: cable.process,
                brain: cable.brain,
            };
            if !which(&of) || cable.is_cut() {
                continue;
            }
            if is_told {
                cable.cut();
            } else {
                if cable.is_whole() {
                    self.record.meet(Situation::HalfOpen);
                }
                cable.fall_silent(now);
            }
        }
    }

    /// Links that a brain holds although nothing reaches it since `since` or earlier.
    pub(crate) fn unheard_before(&self, since: Duration) -> Vec<(LinkNo, BrainNo, Duration)> {
        let cables = self.cables();
        let held = cables
            .iter()
            .filter(|cable| cable.brain_is_there() && !cable.is_cut());
        held.filter_map(|cable| Some((cable.no, cable.brain, cable.unheard_since()?)))
            .filter(|(_, _, unheard)| *unheard <= since)
            .collect()
    }

    /// The links whose both ends are there.
    pub(crate) fn whole_links(&self) -> Vec<LinkNo> {
        let cables = self.cables();
        let whole = cables
            .iter()
            .filter(|cable| cable.is_whole() && !cable.is_damaged());
        whole.map(|cable| cable.no).collect()
    }

    // ---- dialling -------------------------------------------------------------------------------

    /// A process dials a brain.
    pub(crate) async fn dial(
        &self,
        process: ProcessNo,
        token: &str,
    ) -> Result<Link, TransportError> {
        let lost = || TransportError::new(TransportErrorKind::Unreachable);
        let (brain, delay) = self.choose(process).ok_or_else(lost)?;
        self.record
            .note(format_args!("dial p{} b{}", process.0, brain.0));
        self.oracle.dialled(process, brain);
        tokio::time::sleep(delay).await;
        let probe = Cable::new(LinkNo(0), process, brain);
        let is_blocked = |direction| self.weather(&probe, direction).is_blocked;
        if is_blocked(Direction::Up) || is_blocked(Direction::Down) {
            tokio::time::sleep(DIAL_WAIT).await;
            return Err(lost());
        }
        self.connect(process, brain, token).ok_or_else(lost)
    }

    fn choose(&self, process: ProcessNo) -> Option<(BrainNo, Duration)> {
        let mut state = self.lock();
        if state.dead.contains(&process) {
            return None;
        }
        let open: Vec<BrainNo> = state.doors.keys().copied().collect();
        let home = state
            .homes
            .get(&process)
            .copied()
            .filter(|home| open.contains(home));
        let goes_home = state.chance.happens(HOME_PERMILLE);
        let other = state.chance.pick(&open).copied();
        let delay = state.chance.ms(DELAY_MS.0, DELAY_MS.1);
        // Without any brain the connection is refused by the machine that should run one.
        let brain = home.filter(|_| goes_home).or(other).unwrap_or(BrainNo(0));
        Some((brain, delay))
    }

    fn connect(&self, process: ProcessNo, brain: BrainNo, token: &str) -> Option<Link> {
        let mut state = self.lock();
        let door = state.doors.get(&brain)?.clone();
        if state.dead.contains(&process) {
            return None;
        }
        state.cables.retain(|_, cable| cable.is_held());
        let has_other = state
            .cables
            .values()
            .any(|cable| cable.process == process && cable.brain_is_there() && !cable.is_cut());
        let no = LinkNo(state.next_link);
        state.next_link += 1;
        let cable = Arc::new(Cable::new(no, process, brain));
        state.cables.insert(no, Arc::clone(&cable));
        drop(state);
        if has_other {
            self.record.meet(Situation::TwoSessions);
        }
        self.record
            .note(format_args!("link {} p{} b{}", no.0, process.0, brain.0));
        let agent_end = self.ends(&cable, Direction::Up, Direction::Down);
        let brain_end = self.ends(&cable, Direction::Down, Direction::Up);
        let serving = door.brain.serve_link(brain_end, token);
        let mut tasks = door.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(serving);
        Some(agent_end)
    }

    fn ends(&self, cable: &Arc<Cable>, sends: Direction, receives: Direction) -> Link {
        Link {
            sink: Box::new(SimSink {
                network: self.clone(),
                cable: Arc::clone(cable),
                direction: sends,
            }),
            source: Box::new(SimSource {
                network: self.clone(),
                cable: Arc::clone(cable),
                direction: receives,
            }),
            peer: PeerInfo {
                address: Some(format!("link {}", cable.no.0)),
            },
        }
    }

    // ---- frames ---------------------------------------------------------------------------------

    /// Whether a frame of a handshake was spoiled. Nobody can tell it from one that was meant so.
    pub(crate) fn is_handshake_spoiled(&self) -> bool {
        self.lock().is_handshake_spoiled
    }

    /// Takes a frame from an end and decides what becomes of it.
    fn carry(&self, cable: &Cable, direction: Direction, frame: &Bytes) {
        let sent = self
            .oracle
            .sent(cable.no, (cable.process, cable.brain), direction, frame);
        self.record.note(format_args!(
            "{} {} {} {:016x}",
            cable.no.0,
            direction.as_str(),
            sent.label,
            digest(frame)
        ));
        let weather = self.weather(cable, direction);
        let mut state = self.lock();
        state.remember(cable, direction, frame);
        let chance = &mut state.chance;
        let loses = chance.happens(weather.lose);
        let loses_ack = sent.is_ack && chance.happens(weather.lose_acks);
        let replayed = chance.happens(weather.replay);
        if cable.is_silent() {
            return;
        }
        if loses || loses_ack {
            self.record.meet(if sent.is_ack {
                Situation::AckLost
            } else {
                Situation::Lost
            });
            cable.damage();
            return;
        }
        let (item, in_order) = spoil(chance, &weather, frame, &self.record, cable);
        if sent.is_handshake && matches!(item, Item::Frame { is_own: false, .. }) {
            state.is_handshake_spoiled = true;
        }
        let chance = &mut state.chance;
        let is_doubled = chance.happens(weather.duplicate);
        let delay = chance.ms(DELAY_MS.0, DELAY_MS.1) + weather.slower;
        let extra = replayed
            .then(|| state.recall(cable, direction))
            .flatten()
            .map(|(bytes, situation)| {
                self.record.meet(situation);
                Item::Frame {
                    bytes,
                    is_own: false,
                }
            });
        drop(state);
        if sent.is_ack && weather.slower > Duration::from_secs(80) {
            self.record.meet(Situation::AckLate);
        }
        let copy = is_doubled.then(|| {
            self.record.meet(Situation::Duplicated);
            Item::Frame {
                bytes: frame.clone(),
                is_own: false,
            }
        });
        for item in [Some(item), copy, extra].into_iter().flatten() {
            self.put(cable, direction, item, (delay, in_order), &weather);
        }
    }

    fn put(
        &self,
        cable: &Cable,
        direction: Direction,
        item: Item,
        (delay, in_order): (Duration, bool),
        weather: &Weather,
    ) {
        let pipe = cable.pipe(direction);
        if weather.is_blocked {
            pipe.hold(item);
        } else {
            pipe.push(item, self.record.elapsed() + delay, in_order);
        }
    }

    fn close(&self, cable: &Cable, direction: Direction, reason: CloseReason) {
        self.record.note(format_args!(
            "{} {} close {}",
            cable.no.0,
            direction.as_str(),
            reason.code
        ));
        self.oracle.closed(cable.no, direction, reason.code);
        self.put_last(cable, direction, Item::Close(reason));
    }

    /// An end that sends was dropped.
    fn ended(&self, cable: &Cable, direction: Direction) {
        cable.leave(direction);
        self.put_last(cable, direction, Item::End);
    }

    fn put_last(&self, cable: &Cable, direction: Direction, item: Item) {
        if cable.is_cut() || cable.is_silent() {
            return;
        }
        let weather = self.weather(cable, direction);
        let delay = Duration::from_millis(DELAY_MS.1) + weather.slower;
        self.put(cable, direction, item, (delay, true), &weather);
    }

    fn delivered(&self, cable: &Cable, direction: Direction, frame: &Bytes, is_own: bool) {
        self.oracle.delivered(cable.no, direction, frame, is_own);
    }

    fn cables(&self) -> Vec<Arc<Cable>> {
        self.lock().cables.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose link it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessAndBrain {
    pub(crate) process: ProcessNo,
    pub(crate) brain: BrainNo,
}
