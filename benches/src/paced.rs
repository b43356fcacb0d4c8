//! An open loop: frames are due at times fixed beforehand, and what counts is due to ack, not sent to ack. So a brain
//! that stalls is charged for every frame that would have been sent meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use tokio::sync::mpsc;

use crate::link::{Link, acked_index};
use crate::meter::{Costs, Meter, Watched, number};
use crate::payload::Payload;

/// Frames without an ack on one socket, as the published agent allows.
const IN_FLIGHT_MAX: usize = 256;
/// Frames that are due and not sent yet, on one socket; above it the schedule itself waits.
const DUE_MAX: usize = 65_536;
/// After the last frame was due.
const ACK_TIME_MAX: Duration = Duration::from_secs(60);

/// What a paced run gave.
#[derive(Clone, Debug)]
pub(crate) struct Paced {
    /// Due to ack of each frame, in microseconds.
    pub(crate) acks: Histogram<u64>,
    /// How late frames were sent, in microseconds: above a millisecond the driver or a full window is part of the times.
    pub(crate) late: Histogram<u64>,
    /// Frames acknowledged.
    pub(crate) frames: u64,
    /// Events acknowledged.
    pub(crate) events: u64,
    /// Tasks that these events began.
    pub(crate) tasks: u64,
    /// First frame due to last ack.
    pub(crate) took: Duration,
    /// What it cost.
    pub(crate) costs: Costs,
}

impl Paced {
    /// A quantile of the time to an ack, in milliseconds.
    pub(crate) fn ack_ms(&self, quantile: f64) -> f64 {
        number(self.acks.value_at_quantile(quantile)) / 1_000.0
    }
}

/// Sends one frame every `interval` over all links in turn, each when it is due; those due before `warm_up` has passed
/// are not counted.
pub(crate) async fn drive(
    links: Vec<Link>,
    lanes: Vec<Vec<Payload>>,
    interval: Duration,
    warm_up: Duration,
    watched: Watched,
) -> anyhow::Result<Paced> {
    ensure!(!interval.is_zero(), "the rate is too high to be paced");
    let frames = lanes.iter().map(Vec::len).min().unwrap_or(0) * lanes.len();
    let began = Instant::now() + Duration::from_millis(50);
    let count_from = began + warm_up;
    let wait = interval * u32::try_from(frames)? + ACK_TIME_MAX;
    let (mut due, mut runs) = (Vec::new(), Vec::new());
    let meter = Meter::start(watched);
    for (link, lane) in links.into_iter().zip(lanes) {
        let (sender, receiver) = mpsc::channel(DUE_MAX);
        due.push(sender);
        let run = run_link(link, lane, receiver, count_from);
        runs.push(tokio::spawn(tokio::time::timeout(wait, run)));
    }
    // A thread of its own: the runtime's timers are too coarse for latencies below a millisecond.
    let conductor = std::thread::spawn(move || conduct(&due, frames, began, interval));
    let mut paced = Paced {
        acks: Histogram::new(3)?,
        late: Histogram::new(3)?,
        frames: 0,
        events: 0,
        tasks: 0,
        took: Duration::ZERO,
        costs: meter.stop(),
    };
    for run in runs {
        let done = run
            .await?
            .context("not every frame was acknowledged in time")??;
        paced.acks.add(&done.acks)?;
        paced.late.add(&done.late)?;
        paced.frames += done.frames;
        paced.events += done.events;
        paced.tasks += done.tasks;
    }
    paced.took = began.elapsed();
    paced.costs = meter.stop();
    let _ = conductor.join();
    Ok(paced)
}

/// Tells each link when its next frame was due, at that time.
fn conduct(due: &[mpsc::Sender<Instant>], frames: usize, began: Instant, interval: Duration) {
    let mut at = began;
    for index in 0..frames {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        if due[index % due.len()].blocking_send(at).is_err() {
            return;
        }
        at += interval;
    }
}

struct Done {
    acks: Histogram<u64>,
    late: Histogram<u64>,
    frames: u64,
    events: u64,
    tasks: u64,
}

async fn run_link(
    mut link: Link,
    lane: Vec<Payload>,
    mut due: mpsc::Receiver<Instant>,
    count_from: Instant,
) -> anyhow::Result<Done> {
    let mut done = Done {
        acks: Histogram::new(3)?,
        late: Histogram::new(3)?,
        frames: 0,
        events: 0,
        tasks: 0,
    };
    let mut due_at: Vec<Instant> = Vec::with_capacity(lane.len());
    let (mut acked, mut is_open) = (0, true);
    while is_open || acked < due_at.len() {
        let may_send = is_open && due_at.len() - acked < IN_FLIGHT_MAX;
        tokio::select! {
            next = due.recv(), if may_send => {
                let Some(at) = next else { is_open = false; continue };
                let frame = &lane[due_at.len()];
                link.feed_batch(due_at.len(), &frame.json).await?;
                link.socket.flush().await?;
                if at >= count_from {
                    done.late.record(micros(at.elapsed())?)?;
                }
                due_at.push(at);
                done.events += u64::from(frame.events);
                done.tasks += u64::from(frame.tasks);
            }
            message = link.socket.next() => {
                let message = message.context("the brain closed the link")??;
                let Some(index) = acked_index(&message)? else { continue };
                let at = due_at.get(index).context("an ack for a frame that was not sent")?;
                acked += 1;
                done.frames += 1;
                if *at >= count_from {
                    done.acks.record(micros(at.elapsed())?)?;
                }
            }
        }
    }
    let _ = link.socket.close(None).await;
    Ok(done)
}

fn micros(time: Duration) -> anyhow::Result<u64> {
    Ok(u64::try_from(time.as_micros())?.max(1))
}
