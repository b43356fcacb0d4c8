//! Events per second persisted, for 1, 10 and 50 connections with one event per frame and with a hundred, next to what
//! the store does alone with the same rows in ideal batches.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use z4j_core::env::Env;

use crate::client::{Admin, Credentials};
use crate::driver::{Load, Outcome, drive};
use crate::events::{BenchEvent, lifecycle};
use crate::process::{BrainProcess, Usage, release_binary, usage_of};
use crate::report::Report;
use crate::store_alone;

/// What to drive.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The brain binary to start; built when absent.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Drive a brain that runs already, at this base URL; then `--token` and `--hmac-secret` are needed.
    #[arg(long, requires = "token", requires = "hmac_secret")]
    url: Option<String>,
    /// An agent token of that brain.
    #[arg(long)]
    token: Option<String>,
    /// The frame key that came with the token.
    #[arg(long)]
    hmac_secret: Option<String>,
    /// Tasks for each run with one event per frame; three events each.
    #[arg(long, default_value_t = 30_000)]
    tasks_single: u64,
    /// Tasks for each run with a hundred events per frame.
    #[arg(long, default_value_t = 80_000)]
    tasks_batched: u64,
}

/// Connections and events per frame of each run.
const SHAPES: [(usize, usize); 6] = [(1, 1), (10, 1), (50, 1), (1, 100), (10, 100), (50, 100)];

/// Runs every shape on a fresh brain of its own.
pub(crate) async fn run(options: Options) -> anyhow::Result<Report> {
    let mut report = Report::new("ingest");
    report.notes.push(
        "driver, brain and store share this machine's cores; ack times are first send to ack under a closed loop".into(),
    );
    if let Some(url) = options.url.clone() {
        let credentials = Credentials {
            url,
            token: options.token.clone().unwrap_or_default(),
            hmac_secret: options.hmac_secret.clone().unwrap_or_default(),
        };
        for (index, (connections, per_frame)) in SHAPES.into_iter().enumerate() {
            let events = work(&options, u64::try_from(index)?, per_frame);
            let outcome = drive(
                std::slice::from_ref(&credentials),
                load(connections, per_frame),
                events,
            )
            .await?;
            line(&mut report, connections, per_frame, &outcome, None);
        }
        return Ok(report);
    }
    let binary = release_binary(options.binary.clone())?;
    let folder = tempfile::tempdir()?;
    let rate = store_alone::sqlite(folder.path(), &work(&options, 99, 100)).await?;
    report.line("store alone, ideal batches", &[("events_per_s", rate)]);
    for (index, (connections, per_frame)) in SHAPES.into_iter().enumerate() {
        let folder = tempfile::tempdir()?;
        let (brain, _) = BrainProcess::start(&binary, folder.path())?;
        let admin = Admin::sign_in(&brain.url).await?;
        let mut credentials = Vec::new();
        for agent in 0..connections.min(4) {
            credentials.push(admin.mint(&format!("bench-{agent}")).await?);
        }
        let events = work(&options, u64::try_from(index)?, per_frame);
        let (tasks, before) = (events.len() / 3, brain.usage()?);
        let outcome = drive(&credentials, load(connections, per_frame), events).await?;
        let stored = admin.task_count().await?;
        ensure!(
            stored == u64::try_from(tasks)?,
            "{stored} of {tasks} tasks are there"
        );
        line(
            &mut report,
            connections,
            per_frame,
            &outcome,
            Some((before, brain.usage()?)),
        );
    }
    Ok(report)
}

fn work(options: &Options, seed: u64, per_frame: usize) -> Vec<BenchEvent> {
    let tasks = if per_frame == 1 {
        options.tasks_single
    } else {
        options.tasks_batched
    };
    lifecycle(seed + 1, tasks, Env::system().now())
}

/// As the published agent does: at most 256 frames in flight; of large frames as many as a brain reads ahead
/// (`UNCOMMITTED_BYTES_PER_CONNECTION_MAX`, 4 MiB).
const fn load(connections: usize, per_frame: usize) -> Load {
    Load {
        connections,
        events_per_frame: per_frame,
        in_flight_max: if per_frame == 1 { 256 } else { 32 },
    }
}

fn line(
    report: &mut Report,
    connections: usize,
    per_frame: usize,
    outcome: &Outcome,
    brain: Option<(Usage, Usage)>,
) {
    let seconds = outcome.took.as_secs_f64();
    #[expect(
        clippy::cast_precision_loss,
        reason = "event counts of a bench are far below 2^52"
    )]
    let mut values = vec![
        ("events_per_s", outcome.events as f64 / seconds),
        ("ack_p50_ms", millis(outcome.ack_p50)),
        ("ack_p99_ms", millis(outcome.ack_p99)),
        ("driver_cpu", outcome.driver_cpu_seconds / seconds),
    ];
    if let Some((before, after)) = brain {
        values.push((
            "brain_cpu",
            (after.cpu_seconds - before.cpu_seconds) / seconds,
        ));
        #[expect(
            clippy::cast_precision_loss,
            reason = "memory in KiB is far below 2^52"
        )]
        values.push(("rss_mib", after.rss_kib as f64 / 1_024.0));
    }
    report.line(format!("{connections} x {per_frame} per frame"), &values);
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// This process's own CPU time in seconds.
pub(crate) fn own_cpu_seconds() -> f64 {
    usage_of(std::process::id()).map_or(0.0, |usage| usage.cpu_seconds)
}
