//! How long an acknowledgement takes when the brain is not at its limit: an open loop at a tenth of the top rate.

use std::time::Duration;

use clap::Args;

use crate::driver::Load;
use crate::ingest::{closed_run, paced_run, work};
use crate::meter::number;
use crate::report::Report;
use crate::target::{Target, TargetArgs};

/// What to drive and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    targets: TargetArgs,
    /// Connections; one event per frame
    #[arg(long, default_value_t = 50)]
    connections: usize,
    /// Events per second over all connections [default: a tenth of the top rate, measured just before]
    #[arg(long)]
    rate: Option<u64>,
    /// Seconds that are measured at that rate, after one that is not
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds for which the top rate is measured
    #[arg(long, default_value_t = 4)]
    top_seconds: u64,
    /// How often it is repeated; the brains take turns
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

/// Measures every brain.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("ack");
    let targets = options.targets.resolve().await?;
    for round in 1..=options.rounds.max(1) {
        for target in &targets {
            one(options, target, round, &mut report).await?;
        }
    }
    report.note("from when a frame was due to its ack, so a stall is charged to every frame it held up; late_p99_ms is how late the driver sent");
    Ok(report)
}

async fn one(
    options: &Options,
    target: &Target,
    round: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let ready = target.ready(options.connections.div_ceil(50)).await?;
    let mut load = Load {
        connections: options.connections,
        events_per_frame: 1,
        time_max: Duration::from_secs(options.top_seconds),
    };
    let rate = match options.rate {
        Some(rate) => rate,
        None => {
            let events = work(20_000 * options.top_seconds.max(1) / 3);
            let top = closed_run(&ready, load, events).await?;
            let rate = top.events_per_second();
            let mut values = vec![("events_per_s", rate)];
            values.extend(top.costs.columns());
            report.line(
                format!("{} top rate, round {round}", target.name()),
                &values,
            );
            tenth(rate)
        }
    };
    load.time_max = Duration::from_secs(options.seconds);
    let paced = paced_run(&ready, load, rate).await?;
    let mut values = vec![
        ("rate_per_s", number(rate)),
        ("p50_ms", paced.ack_ms(0.5)),
        ("p90_ms", paced.ack_ms(0.9)),
        ("p99_ms", paced.ack_ms(0.99)),
        ("max_ms", paced.ack_ms(1.0)),
        ("samples", number(paced.acks.len())),
        (
            "late_p99_ms",
            number(paced.late.value_at_quantile(0.99)) / 1_000.0,
        ),
    ];
    values.extend(paced.costs.columns());
    report.line(format!("{} ack, round {round}", target.name()), &values);
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and far below 2^63"
)]
fn tenth(rate: f64) -> u64 {
    (rate / 10.0).round().max(1.0) as u64
}
