//! A closed loop of agents: as many frames in flight as agents have, acks in, times kept.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{FutureExt, SinkExt, StreamExt};
use hdrhistogram::Histogram;
use tokio_tungstenite::tungstenite::Message;

use crate::credentials::Credentials;
use crate::link::{Link, acked_index};
use crate::meter::{Costs, Meter, Watched, number};
use crate::payload::Payload;

/// An ack that has not come this long after the last frame is a result, not a wait.
const ACK_TIME_MAX: Duration = Duration::from_secs(120);

/// Large frames without an ack over all connections.
const LARGE_FRAMES_IN_FLIGHT: usize = 320;

/// The shape of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Sockets.
    pub(crate) connections: usize,
    /// Events in each frame.
    pub(crate) events_per_frame: usize,
    /// No frame is sent after this.
    pub(crate) time_max: Duration,
}

impl Load {
    /// Of small frames as many as the published agent has, 256. Of large ones fewer the more connections there are, so that
    /// what waits is work for a second or two, not for a minute.
    fn in_flight_max(self) -> usize {
        if self.events_per_frame < 10 {
            256
        } else {
            (LARGE_FRAMES_IN_FLIGHT / self.connections.max(1)).clamp(2, 32)
        }
    }
}

/// What a run gave.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Events acknowledged; all that were sent.
    pub(crate) events: u64,
    /// Tasks that these events began.
    pub(crate) tasks: u64,
    /// First send to last ack.
    pub(crate) took: Duration,
    /// Send to ack of each frame, in microseconds.
    pub(crate) acks: Histogram<u64>,
    /// What it cost.
    pub(crate) costs: Costs,
}

impl Outcome {
    /// Events acknowledged in a second.
    pub(crate) fn events_per_second(&self) -> f64 {
        number(self.events) / self.took.as_secs_f64()
    }

    /// A quantile of the time to an ack, in milliseconds.
    pub(crate) fn ack_ms(&self, quantile: f64) -> f64 {
        number(self.acks.value_at_quantile(quantile)) / 1_000.0
    }
}

/// Opens `connections` links, spread over the credentials.
pub(crate) async fn connect_all(
    credentials: &[Credentials],
    connections: usize,
) -> anyhow::Result<Vec<Link>> {
    crate::nofile::check(connections)?;
    let mut links = Vec::with_capacity(connections);
    for index in 0..connections {
        let credentials = credentials
            .get(index % credentials.len().max(1))
            .context("no credentials")?;
        links.push(Link::connect(credentials, &format!("bench-{index}")).await?);
    }
    Ok(links)
}

/// Sends what is in `lanes`, one for each link, until all is sent or the time is up, and waits for every ack.
pub(crate) async fn drive(
    links: Vec<Link>,
    lanes: Vec<Vec<Payload>>,
    load: Load,
    watched: Watched,
) -> anyhow::Result<Outcome> {
    let meter = Meter::start(watched);
    let began = Instant::now();
    let runs: Vec<_> = links
        .into_iter()
        .zip(lanes)
        .map(|(link, lane)| {
            let until = began + load.time_max;
            let run = run_link(link, lane, load.in_flight_max(), until);
            tokio::spawn(tokio::time::timeout(load.time_max + ACK_TIME_MAX, run))
        })
        .collect();
    let (mut acks, mut events, mut tasks) = (Histogram::new(3)?, 0, 0);
    let mut ended = began;
    for run in runs {
        let done = run
            .await?
            .context("not every frame was acknowledged in time")??;
        acks.add(&done.acks)?;
        events += done.events;
        tasks += done.tasks;
        ended = ended.max(done.ended);
    }
    Ok(Outcome {
        events,
        tasks,
        took: ended - began,
        acks,
        costs: meter.stop(),
    })
}

struct Done {
    acks: Histogram<u64>,
    events: u64,
    tasks: u64,
    ended: Instant,
}

async fn run_link(
    mut link: Link,
    lane: Vec<Payload>,
    in_flight_max: usize,
    until: Instant,
) -> anyhow::Result<Done> {
    let mut acks = Histogram::new(3)?;
    let mut sent_at: Vec<Instant> = Vec::with_capacity(lane.len());
    let (mut acked, mut events, mut tasks) = (0, 0, 0);
    loop {
        let mut now = Instant::now();
        while let Some(frame) = lane.get(sent_at.len())
            && sent_at.len() - acked < in_flight_max
            && now < until
        {
            link.feed_batch(sent_at.len(), &frame.json).await?;
            events += u64::from(frame.events);
            tasks += u64::from(frame.tasks);
            now = Instant::now();
            sent_at.push(now);
        }
        link.socket.flush().await?;
        if acked == sent_at.len() {
            break;
        }
        let message = link.socket.next().await;
        let mut next = Some(message.context("the brain closed the link")??);
        // All that has arrived is taken before anything is sent: acks of one commit come together.
        while let Some(message) = next {
            acked += count(&message, &sent_at, &mut acks)?;
            let ready = link.socket.next().now_or_never().flatten();
            next = ready.transpose()?;
        }
    }
    let ended = Instant::now();
    // The brain may have closed its side already; every ack is here.
    let _ = link.socket.close(None).await;
    Ok(Done {
        acks,
        events,
        tasks,
        ended,
    })
}

/// Records the time of an ack; answers whether the message was one.
fn count(
    message: &Message,
    sent_at: &[Instant],
    acks: &mut Histogram<u64>,
) -> anyhow::Result<usize> {
    let Some(index) = acked_index(message)? else {
        return Ok(0);
    };
    let sent_at = sent_at
        .get(index)
        .context("an ack for a frame that was not sent")?;
    acks.record(u64::try_from(sent_at.elapsed().as_micros())?.max(1))?;
    Ok(1)
}
