//! From a REST call to the command's frame on the agent, and how long the call itself takes.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use z4j_core::wire::FrameType;

use crate::client::Admin;
use crate::driver::{Load, drive};
use crate::events::BenchEvent;
use crate::ingest::work;
use crate::link::Link;
use crate::meter::{Meter, number};
use crate::payload::lanes;
use crate::ready::Ready;
use crate::report::Report;
use crate::target::{Target, TargetArgs};

const WARM_UP: usize = 20;
const FRAME_WAIT: Duration = Duration::from_secs(10);
const ACTIONS: [&str; 2] = ["retry", "cancel"];

/// The process that all links of this bench claim to be, so that a new one takes the place of the one before at once and no
/// command goes to a link that is about to end.
const SLOT: &str = "bench-commands";

/// What to drive and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    targets: TargetArgs,
    /// Commands of each kind that are measured, after some that are not
    #[arg(long, default_value_t = 200)]
    samples: usize,
    /// Milliseconds between a command and the next. Without, one follows as soon as the last one reached the agent, whose answers
    /// are being stored meanwhile
    #[arg(long, default_value_t = 0)]
    gap_ms: u64,
}

/// Measures every brain.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("command");
    let targets = options.targets.resolve().await?;
    for action in ACTIONS {
        for target in &targets {
            one(options, target, action, &mut report).await?;
        }
    }
    report.note(format!(
        "one command at a time, {} ms between them, on an otherwise idle brain",
        options.gap_ms
    ));
    report.note("frame_*: REST call sent to frame read by the agent, call_*: REST call sent to its answer read");
    Ok(report)
}

async fn one(
    options: &Options,
    target: &Target,
    action: &str,
    report: &mut Report,
) -> anyhow::Result<()> {
    let ready = target.ready(1).await?;
    let admin = ready.signed_in()?;
    let tasks = tasks(&ready, options.samples + WARM_UP, action).await?;
    let credentials = ready.credentials.first().context("no agent")?;
    let link = Link::connect(credentials, SLOT).await?;
    let (seen, mut frames) = mpsc::channel(64);
    let agent = tokio::spawn(obey(link, seen));
    let (mut to_frame, mut to_answer) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
    let mut meter = Meter::start(ready.watched);
    for (index, task) in tasks.iter().enumerate() {
        if index == WARM_UP {
            meter = Meter::start(ready.watched);
        }
        tokio::time::sleep(Duration::from_millis(options.gap_ms)).await;
        let times = issue(admin, action, task, &mut frames).await?;
        if index >= WARM_UP {
            to_frame.record(times.frame_us)?;
            to_answer.record(times.answer_us)?;
        }
    }
    let costs = meter.stop();
    agent.abort();
    ensure!(
        to_frame.len() == u64::try_from(options.samples)?,
        "a sample is missing"
    );
    let ms = |times: &Histogram<u64>, quantile| number(times.value_at_quantile(quantile)) / 1_000.0;
    let mut values = vec![
        ("frame_p50_ms", ms(&to_frame, 0.5)),
        ("frame_p99_ms", ms(&to_frame, 0.99)),
        ("frame_max_ms", ms(&to_frame, 1.0)),
        ("call_p50_ms", ms(&to_answer, 0.5)),
        ("call_p99_ms", ms(&to_answer, 0.99)),
        ("samples", number(to_frame.len())),
    ];
    values.extend(costs.columns());
    report.line(format!("{} {action}", target.name()), &values);
    Ok(())
}

/// Stores tasks to command: finished ones to retry, running ones to cancel. Answers their ids.
async fn tasks(ready: &Ready, count: usize, action: &str) -> anyhow::Result<Vec<String>> {
    let mut events = work(u64::try_from(count)?);
    if action == "cancel" {
        events.retain(|event| event.kind == "task.received" || event.kind == "task.started");
    }
    let first = |event: &&BenchEvent| event.kind == "task.received";
    let ids = events
        .iter()
        .filter(first)
        .map(|event| event.task_id.clone());
    let ids = ids.collect();
    let credentials = ready.credentials.first().context("no agent")?;
    let link = Link::connect(credentials, SLOT).await?;
    let load = Load {
        connections: 1,
        events_per_frame: 100,
        time_max: Duration::from_secs(60),
    };
    drive(vec![link], lanes(1, 100, events), load, ready.watched).await?;
    Ok(ids)
}

struct Times {
    frame_us: u64,
    answer_us: u64,
}

/// One command; answers when its frame was seen and when the call was answered.
async fn issue(
    admin: &Admin,
    action: &str,
    task_id: &str,
    frames: &mut mpsc::Receiver<(String, Instant)>,
) -> anyhow::Result<Times> {
    let body = json!({"engine": "celery", "task_id": task_id});
    let path = format!("commands/{action}-task");
    let sent = Instant::now();
    let (status, answer) = admin.post(&path, &body).await?;
    let answered = sent.elapsed();
    let said = answer.get("message").and_then(Value::as_str);
    ensure!(
        status.is_success(),
        "a {action} was answered with {status}: {}",
        said.unwrap_or("no reason given")
    );
    let id = answer.get("id").and_then(Value::as_str);
    let id = id.context("the command has no id")?;
    loop {
        let seen = tokio::time::timeout(FRAME_WAIT, frames.recv()).await;
        let seen = seen.context("the command's frame did not reach the agent within 10 s")?;
        let (frame_id, at) = seen.context("the brain closed the agent's link")?;
        if frame_id == id {
            let micros = |time: Duration| u64::try_from(time.as_micros());
            return Ok(Times {
                frame_us: micros(at.duration_since(sent))?.max(1),
                answer_us: micros(answered)?.max(1),
            });
        }
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    #[serde(default)]
    payload: Value,
}

/// An agent that does what it is told at once, and says when it was told.
async fn obey(mut link: Link, seen: mpsc::Sender<(String, Instant)>) -> anyhow::Result<()> {
    let mut beat = tokio::time::interval(link.heartbeat);
    loop {
        let message = tokio::select! {
            message = link.socket.next() => message.context("the brain closed the link")??,
            _ = beat.tick() => { link.beat().await?; continue }
        };
        let at = Instant::now();
        let (Message::Binary(_) | Message::Text(_)) = &message else {
            continue;
        };
        let head: Head = serde_json::from_slice(&message.into_data())?;
        if head.kind != "command" {
            continue;
        }
        // Whoever waited is gone when the bench is over.
        let _ = seen.send((head.id.clone(), at)).await;
        let claim = head.payload.get("delivery_claim_token");
        let ack = json!({"delivery_claim_token": claim});
        let result = json!({"status": "success", "result": {}, "delivery_claim_token": claim});
        for (kind, payload) in [
            (FrameType::CommandAck, ack),
            (FrameType::CommandResult, result),
        ] {
            let frame = link.signer.sign(kind, &head.id, &payload)?;
            link.socket.feed(Message::binary(frame)).await?;
        }
        link.socket.flush().await?;
    }
}
