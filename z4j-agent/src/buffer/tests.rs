//! The laws of the buffer, on random histories and on the histories that matter.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const ROOMY: BufferLimits = BufferLimits {
    events_max: 10_000,
    bytes_max: 1 << 20,
};

fn event(number: u64) -> EventJson {
    Redacted::vouch(format!("{number:08}").into_boxed_str())
}

/// What a due frame held, free of the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    id: String,
    events: Vec<String>,
}

/// A buffer and what an honest observer knows of it.
struct Bench {
    buffer: EventBuffer,
    now: Duration,
    frames: u64,
    pushed: u64,
    acked: u64,
    lost: u64,
}

impl Bench {
    fn new(limits: BufferLimits) -> Self {
        Self {
            buffer: EventBuffer::new(limits),
            now: Duration::from_secs(1),
            frames: 0,
            pushed: 0,
            acked: 0,
            lost: 0,
        }
    }

    fn push(&mut self) {
        let evicted = self.buffer.push(event(self.pushed));
        self.pushed += 1;
        self.lost += evicted.events;
    }

    fn send(&mut self, payload_bytes_max: usize) -> Option<Sent> {
        let frame = self.frames + 1;
        match self
            .buffer
            .next_due(self.now, payload_bytes_max, || format!("ev_{frame}"))
        {
            None => None,
            Some(Due::Oversize) => {
                self.lost += 1;
                self.send(payload_bytes_max)
            }
            Some(Due::Batch { id, events, .. }) => {
                self.frames = frame;
                let events = events
                    .iter()
                    .map(|kept| kept.json.get().to_string())
                    .collect();
                Some(Sent {
                    id: id.to_owned(),
                    events,
                })
            }
        }
    }

    fn send_all(&mut self, payload_bytes_max: usize) -> Vec<Sent> {
        std::iter::from_fn(|| self.send(payload_bytes_max)).collect()
    }

    fn acknowledge(&mut self, frame: &Sent) {
        self.acked += u64::try_from(self.buffer.acknowledge(&frame.id)).unwrap();
    }

    fn undecided(&self) -> u64 {
        self.buffer.undecided.iter().map(|frame| frame.events).sum()
    }

    /// Nothing goes missing in silence: every event is acknowledged, kept, declared lost, or not yet decided.
    fn accounted_for(&self, forgiven: u64) -> u64 {
        let kept = u64::try_from(self.buffer.len()).unwrap();
        self.acked + kept + self.lost + self.undecided() + forgiven
    }
}

/// To a brain that keeps no stream.
fn relink(bench: &mut Bench, payload_bytes_max: usize) {
    let lost = bench.buffer.link_up(payload_bytes_max, None).unwrap();
    bench.lost += lost.events;
}

#[test]
fn many_events_share_a_frame_up_to_its_limits() {
    let mut bench = Bench::new(ROOMY);
    for _ in 0..1_200 {
        bench.push();
    }
    let sizes: Vec<usize> = bench
        .send_all(1 << 20)
        .iter()
        .map(|frame| frame.events.len())
        .collect();
    assert_eq!(sizes, [EVENTS_PER_FRAME, EVENTS_PER_FRAME, 200]);

    let mut small = Bench::new(ROOMY);
    for _ in 0..10 {
        small.push();
    }
    // Nine bytes an event with its comma.
    let sizes: Vec<usize> = small
        .send_all(40)
        .iter()
        .map(|frame| frame.events.len())
        .collect();
    assert_eq!(sizes, [4, 4, 2]);
}

#[test]
fn an_unacknowledged_frame_is_sent_again_after_ninety_seconds_with_the_same_id() {
    let mut bench = Bench::new(ROOMY);
    bench.push();
    let first = bench.send(1024).unwrap();
    assert_eq!(
        bench.buffer.next_deadline(),
        Some(bench.now + limits::ACK_WAIT)
    );
    bench.now += limits::ACK_WAIT - Duration::from_millis(1);
    assert_eq!(bench.send(1024), None);
    bench.now += Duration::from_millis(1);
    assert_eq!(bench.send(1024), Some(first.clone()));
    bench.acknowledge(&first);
    assert!(bench.buffer.is_settled());
    assert_eq!(bench.buffer.bytes(), 0);
}

#[test]
fn a_new_link_gets_unacknowledged_frames_at_once_and_in_order() {
    let mut bench = Bench::new(ROOMY);
    let mut sent = Vec::new();
    for _ in 0..3 {
        bench.push();
        sent.extend(bench.send(1024));
    }
    let second = sent.remove(1);
    bench.acknowledge(&second);
    bench.buffer.link_down();
    relink(&mut bench, 1024);
    assert_eq!(bench.send_all(1024), sent);
}

#[test]
fn no_more_than_the_window_is_under_way() {
    let mut bench = Bench::new(ROOMY);
    for _ in 0..limits::UNACKED_BATCHES_MAX + 5 {
        bench.push();
    }
    let sent = bench.send_all(9);
    assert_eq!(sent.len(), limits::UNACKED_BATCHES_MAX);
    bench.acknowledge(&sent[100]);
    assert_eq!(bench.send_all(9).len(), 1);
}

#[test]
fn an_event_that_no_frame_can_carry_is_counted_and_does_not_block() {
    let mut bench = Bench::new(ROOMY);
    bench
        .buffer
        .push(Redacted::vouch("x".repeat(200).into_boxed_str()));
    bench.push();
    let frame = bench.send(100).unwrap();
    assert_eq!((bench.lost, frame.events.len()), (1, 1));
}

#[test]
fn a_full_buffer_loses_the_oldest_events_first() {
    let mut bench = Bench::new(BufferLimits {
        events_max: 3,
        bytes_max: 1 << 20,
    });
    for _ in 0..5 {
        bench.push();
    }
    assert_eq!(bench.lost, 2);
    assert_eq!(
        bench.send(1024).unwrap().events,
        ["00000002", "00000003", "00000004"]
    );
}

#[test]
fn a_frame_evicted_under_way_is_lost_only_if_its_ack_does_not_come() {
    let limits = BufferLimits {
        events_max: 2,
        bytes_max: 1 << 20,
    };
    let mut bench = Bench::new(limits);
    bench.push();
    let acked_later = bench.send(1024).unwrap();
    bench.push();
    bench.push();
    assert_eq!((bench.lost, bench.undecided()), (0, 1));
    bench.acknowledge(&acked_later);
    assert_eq!((bench.lost, bench.undecided()), (0, 0));

    let mut silent = Bench::new(limits);
    silent.push();
    silent.send(1024).unwrap();
    silent.push();
    silent.push();
    assert_eq!(
        silent.buffer.link_down(),
        Evicted {
            frames: 1,
            events: 1
        }
    );
}

#[test]
fn an_evicted_frame_whose_ack_is_overdue_is_declared_lost() {
    let mut bench = Bench::new(BufferLimits {
        events_max: 1,
        bytes_max: 1 << 20,
    });
    bench.push();
    bench.send(1024).unwrap();
    bench.push();
    assert_eq!(bench.buffer.expire(bench.now), Evicted::default());
    bench.now += limits::ACK_WAIT;
    assert_eq!(
        bench.buffer.expire(bench.now),
        Evicted {
            frames: 1,
            events: 1
        }
    );
    assert_eq!(bench.undecided(), 0);
}

#[test]
fn frames_that_a_new_brain_does_not_take_are_cut_smaller() {
    let mut bench = Bench::new(ROOMY);
    for _ in 0..8 {
        bench.push();
    }
    assert_eq!(bench.send_all(1024).len(), 1);
    bench.buffer.link_down();
    relink(&mut bench, 40);
    let events: Vec<String> = bench
        .send_all(40)
        .into_iter()
        .flat_map(|frame| frame.events)
        .collect();
    assert_eq!(events.len(), 8);
    assert!(events.is_sorted());
}

#[derive(Clone, Debug)]
enum Step {
    Push(u8),
    Send(u16),
    Acknowledge(u8),
    Relink(u16),
    Pass(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..40_u8).prop_map(Step::Push),
        4 => (5..200_u16).prop_map(Step::Send),
        3 => any::<u8>().prop_map(Step::Acknowledge),
        1 => (5..200_u16).prop_map(Step::Relink),
        1 => (1..120_u8).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn every_event_is_acknowledged_kept_or_declared_lost_whatever_happens(
        events_max in 1..60_usize,
        bytes_max in 64..3_000_usize,
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let limits = BufferLimits { events_max, bytes_max };
        let mut bench = Bench::new(limits);
        let mut sent: HashMap<String, Sent> = HashMap::new();
        let mut order: Vec<String> = Vec::new();
        let mut forgiven = 0;
        for step in steps {
            match step {
                Step::Push(events) => (0..events).for_each(|_| bench.push()),
                Step::Send(bytes) => {
                    for frame in bench.send_all(usize::from(bytes)) {
                        order.push(frame.id.clone());
                        sent.insert(frame.id.clone(), frame);
                    }
                }
                Step::Acknowledge(pick) if !order.is_empty() => {
                    let frame = sent[&order[usize::from(pick) % order.len()]].clone();
                    let before = bench.undecided();
                    bench.acknowledge(&frame);
                    forgiven += before - bench.undecided();
                }
                Step::Acknowledge(_) => {}
                Step::Relink(bytes) => {
                    bench.lost += bench.buffer.link_down().events;
                    relink(&mut bench, usize::from(bytes));
                    order.clear();
                }
                Step::Pass(seconds) => {
                    bench.now += Duration::from_secs(u64::from(seconds));
                    bench.lost += bench.buffer.expire(bench.now).events;
                }
            }
            prop_assert!(bench.buffer.len() <= events_max);
            prop_assert!(bench.buffer.bytes() <= bytes_max);
            prop_assert!(bench.buffer.in_flight() <= limits::UNACKED_BATCHES_MAX);
            prop_assert_eq!(bench.accounted_for(forgiven), bench.pushed);
        }
    }
}
