//! What one brain concludes from the beats of the others. No clock, no store: all of it comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use z4j_core::id::ReplicaId;
use z4j_core::store::ReplicaRow;
use z4j_core::time::Timestamp;

/// Clocks this close count as equal.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);
/// Brains that were heard before a beat named them, at most.
const EARLY_MAX: usize = 64;

/// When a look at the beats was taken, by this brain's clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The wall clock when the question was sent.
    pub(super) now: Timestamp,
    /// The monotonic clock then.
    pub(super) began: Duration,
    /// The monotonic clock when the answer was there.
    pub(super) ended: Duration,
    /// A beat that stands still for this long is the last one.
    pub(super) patience: Duration,
    /// Looks further apart than this prove nothing about what stood still between them.
    pub(super) gap_max: Duration,
}

/// What follows from a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Brains to bury, with the beat that they stopped at.
    pub(super) dead: Vec<(ReplicaId, u64)>,
    /// Somebody is there who was not before.
    pub(super) has_joined: bool,
    /// Somebody is gone.
    pub(super) has_left: bool,
    /// Somebody announced what was not heard.
    pub(super) has_missed: bool,
}

/// The others, as far as they were seen.
#[derive(Debug, Default)]
pub(super) struct Watch {
    peers: BTreeMap<ReplicaId, Peer>,
    /// Heard before they were seen.
    early: BTreeMap<ReplicaId, u64>,
    /// This brain itself: its announcements come back to it.
    own: Own,
    looked_at: Option<Duration>,
}

#[derive(Debug)]
struct Peer {
    beat: u64,
    /// Since when the beat has stood.
    since: Duration,
    /// The latest announcement, as of the last look.
    announced: u64,
    heard: u64,
    /// How far its clock is ahead of this brain's.
    lead_us: i64,
}

#[derive(Debug, Default)]
struct Own {
    beat: u64,
    announced: u64,
    heard: u64,
    is_deaf: bool,
}

impl Watch {
    /// How many others there are.
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// This brain's own beat, as of the last look.
    pub(super) const fn own_beat(&self) -> u64 {
        self.own.beat
    }

    /// Takes in what a beat was answered.
    pub(super) fn look(
        &mut self,
        own: ReplicaId,
        announced: u64,
        rows: &[ReplicaRow],
        moment: &Moment,
    ) -> Look {
        let is_first = self.looked_at.is_none();
        let has_gap = self
            .looked_at
            .is_some_and(|before| moment.ended.saturating_sub(before) > moment.gap_max);
        self.looked_at = Some(moment.ended);
        self.look_at_self(own, announced, rows);
        let mut look = Look::default();
        for row in rows.iter().filter(|row| row.replica != own) {
            let heard = self.early.remove(&row.replica);
            // Nobody followed this brain before its first look; whoever came later is heard from the beginning.
            let heard = heard.unwrap_or(if is_first { row.announced } else { 0 });
            let peer = self.peers.entry(row.replica).or_insert_with(|| {
                look.has_joined = true;
                Peer {
                    beat: row.beat,
                    since: moment.ended,
                    announced: heard,
                    heard,
                    lead_us: lead_us(row, moment),
                }
            });
            look.has_missed |= peer.see(row, moment, has_gap);
            let stood = moment.began.saturating_sub(peer.since);
            if row.is_gone || stood >= moment.patience {
                look.dead.push((row.replica, row.beat));
            }
        }
        let seen: BTreeSet<_> = rows.iter().map(|row| row.replica).collect();
        let before = self.peers.len();
        self.peers.retain(|replica, _| seen.contains(replica));
        look.has_left = self.peers.len() < before;
        look
    }

    /// Whether what this brain announces comes back to it within a beat: then it hears the others too.
    fn look_at_self(&mut self, own: ReplicaId, announced: u64, rows: &[ReplicaRow]) {
        if let Some(row) = rows.iter().find(|row| row.replica == own) {
            self.own.beat = row.beat;
        }
        self.own.is_deaf = self.own.announced > self.own.heard;
        self.own.announced = announced;
    }

    /// Takes in an announcement; true when others before it were missed.
    pub(super) fn hear(&mut self, own: ReplicaId, from: ReplicaId, number: u64) -> bool {
        if from == own {
            self.own.heard = self.own.heard.max(number);
            return false;
        }
        if !self.peers.contains_key(&from) && self.early.len() >= EARLY_MAX {
            self.early.clear();
        }
        let heard = match self.peers.get_mut(&from) {
            Some(peer) => &mut peer.heard,
            None => self.early.entry(from).or_insert(0),
        };
        let has_gap = number > heard.saturating_add(1);
        *heard = number.max(*heard);
        has_gap
    }

    /// Forgets a brain that is buried.
    pub(super) fn bury(&mut self, replica: ReplicaId) {
        self.peers.remove(&replica);
    }

    /// How far the clock that all go by is ahead of this brain's: the middle one of all, of two the earlier.
    pub(super) fn lead_us(&self) -> i64 {
        let mut leads: Vec<i64> = self.peers.values().map(|peer| peer.lead_us).collect();
        leads.push(0);
        leads.sort_unstable();
        let middle = leads.get((leads.len() - 1) / 2).copied().unwrap_or(0);
        if is_far(middle) { middle } else { 0 }
    }

    /// What operators should know, in sentences.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(far) = self.peers.values().find(|peer| is_far(peer.lead_us)) {
            let seconds = far.lead_us / 1_000_000;
            warnings.push(format!(
                "The clock of another brain differs from this one's by {seconds} s: times shown may be wrong."
            ));
        }
        if self.own.is_deaf {
            warnings.push(
                "Announcements do not come through: live updates of other brains come late, as resets.".to_owned(),
            );
        }
        warnings
    }
}

impl Peer {
    /// Takes in a row; true when something was announced before the last look and not heard until now.
    fn see(&mut self, row: &ReplicaRow, moment: &Moment, has_gap: bool) -> bool {
        if row.beat != self.beat || has_gap {
            self.since = moment.ended;
        }
        if row.beat != self.beat {
            self.beat = row.beat;
            self.lead_us = lead_us(row, moment);
        }
        let has_missed = self.announced > self.heard;
        self.heard = self.heard.max(self.announced);
        self.announced = row.announced;
        has_missed
    }
}

fn lead_us(row: &ReplicaRow, moment: &Moment) -> i64 {
    row.clock.as_micros().saturating_sub(moment.now.as_micros())
}

fn is_far(lead_us: i64) -> bool {
    Duration::from_micros(lead_us.unsigned_abs()) > CLOCK_TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: ReplicaId = ReplicaId::from_u128(1);

    fn peer(number: u128) -> ReplicaId {
        ReplicaId::from_u128(number)
    }

    fn row(replica: ReplicaId, beat: u64, announced: u64) -> ReplicaRow {
        ReplicaRow {
            replica,
            beat,
            announced,
            started_at: Timestamp::EPOCH,
            clock: Timestamp::EPOCH,
            is_gone: false,
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment {
            now: Timestamp::EPOCH,
            began: Duration::from_secs(seconds),
            ended: Duration::from_secs(seconds),
            patience: Duration::from_secs(15),
            gap_max: Duration::from_secs(7),
        }
    }

    fn look(watch: &mut Watch, rows: &[ReplicaRow], seconds: u64) -> Look {
        watch.look(OWN, 0, rows, &at(seconds))
    }

    #[test]
    fn a_beat_that_stands_still_for_the_whole_patience_is_the_last_one() {
        let mut watch = Watch::default();
        assert!(look(&mut watch, &[row(peer(2), 5, 0)], 0).has_joined);
        for seconds in [3, 6, 9, 12] {
            assert_eq!(
                look(&mut watch, &[row(peer(2), 5, 0)], seconds),
                Look::default()
            );
        }
        let dead = look(&mut watch, &[row(peer(2), 5, 0)], 15).dead;
        assert_eq!(dead, [(peer(2), 5)]);
        assert!(look(&mut watch, &[row(peer(2), 6, 0)], 18).dead.is_empty());
    }

    #[test]
    fn who_did_not_watch_does_not_judge() {
        let mut watch = Watch::default();
        let _ = look(&mut watch, &[row(peer(2), 5, 0)], 0);
        let asleep = look(&mut watch, &[row(peer(2), 5, 0)], 3_600);
        assert!(asleep.dead.is_empty(), "this brain slept, not the other");
        let mut seconds = 3_600;
        while seconds < 3_612 {
            seconds += 3;
            assert!(
                look(&mut watch, &[row(peer(2), 5, 0)], seconds)
                    .dead
                    .is_empty()
            );
        }
        assert_eq!(look(&mut watch, &[row(peer(2), 5, 0)], 3_615).dead.len(), 1);
    }

    #[test]
    fn a_store_that_is_sure_need_not_be_watched() {
        let mut watch = Watch::default();
        let gone = ReplicaRow {
            is_gone: true,
            ..row(peer(2), 5, 0)
        };
        assert_eq!(look(&mut watch, &[gone], 0).dead, [(peer(2), 5)]);
    }

    #[test]
    fn what_was_announced_and_not_heard_by_the_next_look_was_missed() {
        let mut watch = Watch::default();
        let _ = look(&mut watch, &[row(peer(2), 1, 4)], 0);
        assert!(
            !look(&mut watch, &[row(peer(2), 2, 6)], 3).has_missed,
            "it may be on its way"
        );
        assert!(look(&mut watch, &[row(peer(2), 3, 6)], 6).has_missed);
        assert!(
            !look(&mut watch, &[row(peer(2), 4, 6)], 9).has_missed,
            "said once"
        );
        assert!(!watch.hear(OWN, peer(2), 7));
        assert!(watch.hear(OWN, peer(2), 9), "8 is missing");
        assert!(!watch.hear(OWN, peer(2), 9), "again");
        assert!(!look(&mut watch, &[row(peer(2), 5, 9)], 12).has_missed);
        assert!(!look(&mut watch, &[row(peer(2), 6, 9)], 15).has_missed);
    }

    #[test]
    fn who_comes_later_is_heard_from_the_beginning() {
        let mut watch = Watch::default();
        let _ = look(&mut watch, &[], 0);
        assert!(!watch.hear(OWN, peer(2), 1), "heard before it was seen");
        let _ = look(&mut watch, &[row(peer(2), 1, 1), row(peer(3), 1, 2)], 3);
        assert!(!watch.hear(OWN, peer(2), 2));
        let next = look(&mut watch, &[row(peer(2), 2, 2), row(peer(3), 2, 2)], 6);
        assert!(next.has_missed, "nothing was heard of the third one");
        assert!(look(&mut watch, &[row(peer(2), 3, 2)], 9).has_left);
    }

    #[test]
    fn a_clock_of_its_own_does_not_move_the_clock_of_most() {
        let hour = 3_600_000_000;
        let with_clock = |number, micros| ReplicaRow {
            clock: Timestamp::from_micros(micros),
            ..row(peer(number), 1, 0)
        };
        let lead = |rows: &[ReplicaRow]| {
            let mut watch = Watch::default();
            let _ = look(&mut watch, rows, 0);
            watch.lead_us()
        };
        assert_eq!(lead(&[with_clock(2, 2_000_000)]), 0, "close enough");
        assert_eq!(lead(&[with_clock(2, hour)]), 0, "of two the earlier: ours");
        assert_eq!(lead(&[with_clock(2, -hour)]), -hour);
        assert_eq!(lead(&[with_clock(2, 0), with_clock(3, -hour)]), 0);
        assert_eq!(lead(&[with_clock(2, hour), with_clock(3, hour)]), hour);
    }

    #[test]
    fn who_does_not_hear_itself_says_so() {
        let mut watch = Watch::default();
        let _ = watch.look(OWN, 0, &[], &at(0));
        let _ = watch.look(OWN, 1, &[], &at(3));
        assert!(watch.warnings().is_empty(), "it may be on its way");
        let _ = watch.look(OWN, 1, &[], &at(6));
        assert_eq!(watch.warnings().len(), 1);
        let _ = watch.hear(OWN, OWN, 1);
        let _ = watch.look(OWN, 1, &[], &at(9));
        assert!(watch.warnings().is_empty());
    }
}
