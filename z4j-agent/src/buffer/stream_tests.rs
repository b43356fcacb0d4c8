//! The buffer against a brain that keeps its stream: no hole, nothing sent twice across links, loss told exactly.

use std::collections::BTreeSet;

use proptest::prelude::*;
use z4j_core::wire::BatchStream;

use super::*;

/// What a brain has of the stream.
#[derive(Default)]
struct Brain {
    position: u64,
    stored: BTreeSet<u64>,
    evicted: BTreeSet<u64>,
    repeated: u64,
}

impl Brain {
    /// Takes a frame as a store does: refuses a hole, passes over what it has.
    fn take(&mut self, place: &BatchStream, numbers: &[u64]) {
        assert!(place.has_sound_gaps(), "{place:?}");
        for gap in &place.gaps {
            assert!(gap.from <= self.position + 1, "a hole before {gap:?}");
            let new = gap.from.max(self.position + 1)..=gap.to;
            assert_eq!(gap.reason, "evicted");
            self.evicted.extend(new);
            self.position = self.position.max(gap.to);
        }
        assert!(
            place.first <= self.position + 1,
            "a hole before {}",
            place.first
        );
        for (position, number) in (place.first..).zip(numbers) {
            // Positions count from 1, the events of these tests from 0, and each event has a position.
            assert_eq!(position, number + 1);
            if position <= self.position {
                self.repeated += 1;
            } else {
                self.stored.insert(position);
                self.position = position;
            }
        }
    }
}

struct Bench {
    buffer: EventBuffer,
    brain: Brain,
    now: Duration,
    frames: u64,
    pushed: u64,
    lost: u64,
    unacked: Vec<String>,
}

impl Bench {
    fn new(events_max: usize) -> Self {
        let limits = BufferLimits {
            events_max,
            bytes_max: 1 << 20,
        };
        let mut bench = Self {
            buffer: EventBuffer::new(limits),
            brain: Brain::default(),
            now: Duration::from_secs(1),
            frames: 0,
            pushed: 0,
            lost: 0,
            unacked: Vec::new(),
        };
        bench.relink();
        bench
    }

    fn push(&mut self, events: u64) {
        for _ in 0..events {
            let json = Redacted::vouch(format!("{:08}", self.pushed).into_boxed_str());
            self.lost += self.buffer.push(json).events;
            self.pushed += 1;
        }
    }

    /// Sends all that is due; the brain gets the first `arriving` frames, then the link is as good as dead.
    fn send(&mut self, payload_bytes_max: usize, arriving: usize) {
        for index in 0.. {
            let id = format!("ev_{}", self.frames);
            let due = self
                .buffer
                .next_due(self.now, payload_bytes_max, || id.clone());
            let Some(Due::Batch { id, events, stream }) = due else {
                break;
            };
            self.frames += 1;
            if index < arriving {
                let numbers: Vec<u64> = events
                    .iter()
                    .map(|kept| kept.json.get().parse().unwrap())
                    .collect();
                self.brain.take(stream.unwrap(), &numbers);
                self.unacked.push(id.to_owned());
            }
        }
    }

    fn acknowledge(&mut self, frames: usize) {
        for id in self.unacked.drain(..frames.min(self.unacked.len())) {
            self.buffer.acknowledge(&id);
        }
    }

    fn relink(&mut self) {
        self.unacked.clear();
        self.lost += self.buffer.link_down().events;
        let lost = self.buffer.link_up(1 << 20, Some(self.brain.position));
        self.lost += lost.unwrap().events;
    }
}

#[test]
fn brain_that_committed_without_an_ack_gets_nothing_twice() {
    let mut bench = Bench::new(100);
    bench.push(10);
    bench.send(40, usize::MAX);
    bench.relink();
    assert_eq!(bench.buffer.len(), 0);
    bench.push(1);
    bench.send(40, usize::MAX);
    assert_eq!((bench.brain.position, bench.brain.repeated), (11, 0));
}

#[test]
fn frame_evicted_under_way_is_not_lost_if_the_brain_has_it() {
    let mut bench = Bench::new(2);
    bench.push(2);
    bench.send(1024, 1);
    bench.push(2);
    bench.relink();
    assert_eq!(bench.lost, 0);
    bench.send(1024, usize::MAX);
    assert_eq!(bench.brain.stored.len(), 4);
}

#[test]
fn stream_that_a_brain_forgot_goes_on_with_a_declared_gap() {
    let mut bench = Bench::new(100);
    bench.push(5);
    bench.send(1024, usize::MAX);
    bench.acknowledge(1);
    bench.buffer.link_down();
    bench.buffer.link_up(1 << 20, Some(0)).unwrap();
    bench.push(1);
    let due = bench
        .buffer
        .next_due(bench.now, 1024, || "ev_x".to_owned())
        .unwrap();
    let Due::Batch {
        stream: Some(place),
        ..
    } = due
    else {
        panic!("{due:?}");
    };
    assert_eq!(place.first, 6);
    let gaps: Vec<_> = place.gaps.iter().map(|gap| (gap.from, gap.to)).collect();
    assert_eq!(gaps, [(1, 5)]);
    assert_eq!(place.gaps[0].reason, "settled");
}

#[test]
fn brain_ahead_of_the_stream_changes_nothing() {
    let mut bench = Bench::new(100);
    bench.push(3);
    let ahead = bench.buffer.link_up(1 << 20, Some(4)).unwrap_err();
    assert_eq!((ahead.stored, ahead.assigned), (4, 3));
    assert_eq!(bench.buffer.len(), 3);
}

#[derive(Clone, Debug)]
enum Step {
    Push(u64),
    /// Bytes of a frame, and how many frames arrive before the link is cut.
    SendAndCut(usize, usize),
    SendAndAcknowledge(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..30_u64).prop_map(Step::Push),
        2 => (9..200_usize, 0..6_usize).prop_map(|(bytes, frames)| Step::SendAndCut(bytes, frames)),
        2 => (9..200_usize, 0..6_usize).prop_map(|(bytes, frames)| Step::SendAndAcknowledge(bytes, frames)),
    ]
}

proptest! {
    #[test]
    fn stored_and_gaps_are_the_whole_stream_and_loss_is_exact(
        events_max in 1..40_usize,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut bench = Bench::new(events_max);
        for step in steps {
            match step {
                Step::Push(events) => bench.push(events),
                Step::SendAndCut(bytes, frames) => {
                    bench.send(bytes, frames);
                    bench.relink();
                }
                Step::SendAndAcknowledge(bytes, frames) => {
                    bench.send(bytes, usize::MAX);
                    bench.acknowledge(frames);
                }
            }
        }
        bench.relink();
        bench.push(1);
        bench.send(1 << 20, usize::MAX);
        let brain = &bench.brain;
        prop_assert_eq!(brain.position, bench.pushed);
        prop_assert!(brain.stored.is_disjoint(&brain.evicted));
        prop_assert_eq!(brain.stored.len() + brain.evicted.len(), usize::try_from(bench.pushed).unwrap());
        prop_assert_eq!(u64::try_from(brain.evicted.len()).unwrap(), bench.lost);
        prop_assert_eq!(brain.repeated, 0);
    }
}
