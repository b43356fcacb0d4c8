//! The changes of one project: numbered, and the latest of them kept.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use z4j_core::id::TaskKey;

use super::delta::Delta;

/// Changes of one project that are kept for those who read slowly or come back.
pub(super) const RING_DELTAS: usize = 4096;
/// Changes are kept this long after the last reader left; then a reader that comes back is told to fetch anew.
const LINGER: Duration = Duration::from_secs(60);

/// The number before the first change.
pub(super) const FIRST: u64 = 1;

/// Who made a change. Changes of one source come in the order in which they were committed; those of both do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// This brain.
    Own,
    /// Another one.
    Heard,
}

/// The changes of one project.
#[derive(Debug)]
pub(super) struct Channel {
    ring: Mutex<Ring>,
    head: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    deltas: VecDeque<Kept>,
    /// The number of the latest change; the ring holds those up to it without gaps.
    head: u64,
    /// When a reader was last there.
    followed_at: Duration,
    /// When the latest change of each source happened that is not here any more.
    own_lost_at: Option<Duration>,
    heard_lost_at: Option<Duration>,
}

#[derive(Debug)]
struct Kept {
    delta: Arc<Delta>,
    source: Source,
    at: Duration,
}

impl Channel {
    pub(super) fn new() -> Self {
        Self {
            ring: Mutex::new(Ring {
                head: FIRST,
                ..Ring::default()
            }),
            head: watch::Sender::new(FIRST),
        }
    }

    pub(super) fn is_followed(&self, now: Duration) -> bool {
        let followed_at = self.lock().followed_at;
        self.head.receiver_count() > 0
            || (!followed_at.is_zero() && now.saturating_sub(followed_at) < LINGER)
    }

    /// Takes changes in whose rows were read or written from `began` on. Gives the tasks that the other source changed
    /// since: what was read of them may be older, so it is left out.
    pub(super) fn push(
        &self,
        deltas: impl IntoIterator<Item = Delta>,
        source: Source,
        began: Duration,
        now: Duration,
    ) -> Vec<TaskKey> {
        let is_followed = self.is_followed(now);
        let mut contested = Vec::new();
        let mut ring = self.lock();
        let rivals = ring.rivals(source, began);
        for delta in deltas {
            ring.head += 1;
            if !is_followed {
                ring.note_lost(source, now);
                continue;
            }
            if let Delta::Task(task) = &delta
                && rivals.as_ref().is_none_or(|keys| keys.contains(&task.key))
            {
                // Its number stays taken by something harmless: the ring has no gaps.
                contested.push(task.key.clone());
                ring.keep(Delta::Counters, source, now);
            } else {
                ring.keep(delta, source, now);
            }
        }
        if !is_followed {
            ring.forget();
        }
        while ring.deltas.len() > RING_DELTAS {
            ring.drop_oldest();
        }
        let head = ring.head;
        drop(ring);
        self.head.send_replace(head);
        contested
    }

    /// Counts a change of `source` that is not kept.
    pub(super) fn skip(&self, source: Source, now: Duration) {
        let mut ring = self.lock();
        ring.head += 1;
        ring.note_lost(source, now);
        ring.forget();
        let head = ring.head;
        drop(ring);
        self.head.send_replace(head);
    }

    /// Notes that a reader is here.
    pub(super) fn follow(&self, now: Duration) {
        self.lock().followed_at = now.max(Duration::from_nanos(1));
    }

    /// The number of the latest change.
    pub(super) fn head(&self) -> u64 {
        self.lock().head
    }

    /// A view of the head that wakes when it moves.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// The changes after `position` and the head; `None` when some of them are not kept any more.
    pub(super) fn since(&self, position: u64) -> (u64, Option<Vec<Arc<Delta>>>) {
        let ring = self.lock();
        let missed = ring
            .head
            .checked_sub(position)
            .and_then(|n| usize::try_from(n).ok());
        let kept = missed
            .and_then(|missed| ring.deltas.len().checked_sub(missed))
            .map(|skip| {
                let after = ring.deltas.iter().skip(skip);
                after.map(|kept| Arc::clone(&kept.delta)).collect()
            });
        (ring.head, kept)
    }

    /// Locks what no holder can leave half changed.
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn keep(&mut self, delta: Delta, source: Source, at: Duration) {
        let delta = Arc::new(delta);
        self.deltas.push_back(Kept { delta, source, at });
    }

    /// Tasks that the other source changed at or after `began`; `None`: it may be any.
    fn rivals(&self, source: Source, began: Duration) -> Option<BTreeSet<TaskKey>> {
        let lost_at = match source {
            Source::Own => self.heard_lost_at,
            Source::Heard => self.own_lost_at,
        };
        if lost_at.is_some_and(|at| at >= began) {
            return None;
        }
        let recent = self.deltas.iter().rev();
        let recent = recent.take_while(|kept| kept.at >= began);
        let rivals = recent.filter(|kept| kept.source != source);
        let keys = rivals.filter_map(|kept| match &*kept.delta {
            Delta::Task(task) => Some(task.key.clone()),
            _ => None,
        });
        Some(keys.collect())
    }

    fn note_lost(&mut self, source: Source, at: Duration) {
        let lost_at = match source {
            Source::Own => &mut self.own_lost_at,
            Source::Heard => &mut self.heard_lost_at,
        };
        *lost_at = (*lost_at).max(Some(at));
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.deltas.pop_front() {
            self.note_lost(oldest.source, oldest.at);
        }
    }

    fn forget(&mut self) {
        while !self.deltas.is_empty() {
            self.drop_oldest();
        }
    }
}

#[cfg(test)]
mod tests {
    use z4j_core::store::TaskSummary;
    use z4j_core::task::{EventKind, TaskEvent, TaskRecord};
    use z4j_core::time::Timestamp;

    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn task(id: &str) -> Delta {
        let event = TaskEvent::new(EventKind::parse("task.started"), Timestamp::EPOCH);
        let record = TaskRecord::from_event(&event).unwrap();
        let key = TaskKey::new("celery", id);
        Delta::Task(Box::new(TaskSummary::from_record(
            key,
            &record,
            Timestamp::EPOCH,
        )))
    }

    fn followed() -> (Channel, watch::Receiver<u64>) {
        let channel = Channel::new();
        let reader = channel.watch();
        (channel, reader)
    }

    fn tasks(channel: &Channel) -> Vec<String> {
        let (_, kept) = channel.since(FIRST);
        let kept = kept.unwrap();
        let tasks = kept.iter().filter_map(|delta| match &**delta {
            Delta::Task(task) => Some(task.key.task_id.clone()),
            _ => None,
        });
        tasks.collect()
    }

    #[test]
    fn a_task_that_another_brain_changed_during_a_commit_is_not_told_as_that_commit_left_it() {
        let (channel, _reader) = followed();
        assert!(
            channel
                .push([task("a")], Source::Heard, at(1), at(2))
                .is_empty()
        );
        let contested = channel.push([task("a"), task("b")], Source::Own, at(2), at(3));
        assert_eq!(contested, [TaskKey::new("celery", "a")]);
        assert_eq!(tasks(&channel), ["a", "b"]);
        assert!(
            channel
                .push([task("a")], Source::Own, at(3), at(4))
                .is_empty()
        );
    }

    #[test]
    fn a_task_that_changed_here_while_it_was_read_is_not_told_as_it_was_read() {
        let (channel, _reader) = followed();
        let commits = [at(1), at(2)].map(|now| channel.push([task("a")], Source::Own, now, now));
        assert_eq!(commits, [Vec::new(), Vec::new()], "in the order of commits");
        let read = |began| channel.push([task("a")], Source::Heard, began, at(5));
        assert_eq!(read(at(2)).len(), 1);
        assert!(read(at(3)).is_empty());
    }

    #[test]
    fn what_was_missed_may_have_been_any_task() {
        let (channel, _reader) = followed();
        channel.skip(Source::Heard, at(2));
        assert_eq!(
            channel.push([task("a")], Source::Own, at(1), at(3)).len(),
            1
        );
        assert!(
            channel
                .push([task("a")], Source::Own, at(4), at(5))
                .is_empty()
        );
    }

    #[test]
    fn changes_that_make_room_for_others_contest_no_later_commit() {
        let (channel, _reader) = followed();
        let many = || (0..=RING_DELTAS).map(|_| Delta::Counters);
        assert!(
            channel
                .push([task("a")], Source::Heard, at(1), at(1))
                .is_empty()
        );
        assert!(channel.push(many(), Source::Own, at(2), at(2)).is_empty());
        assert!(
            channel
                .push([task("a")], Source::Own, at(2), at(3))
                .is_empty()
        );
        assert_eq!(
            channel.push([task("a")], Source::Own, at(1), at(3)).len(),
            1
        );
    }
}
