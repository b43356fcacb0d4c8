//! Events per second persisted, next to what the store does alone with the same rows in ideal batches.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use z4j_core::env::Env;
use z4j_core::time::Timestamp;

use crate::ceiling;
use crate::decay;
use crate::driver::{Load, Outcome, connect_all, drive};
use crate::events::{BenchEvent, lifecycle};
use crate::meter::number;
use crate::paced::{self, Paced};
use crate::payload::lanes;
use crate::ready::Ready;
use crate::report::Report;
use crate::store_alone;
use crate::target::{Target, TargetArgs};

/// What to drive and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) targets: TargetArgs,
    /// Connections of each run
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 50, 200])]
    pub(crate) connections: Vec<usize>,
    /// Events in each frame; published agents send one
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100])]
    pub(crate) events_per_frame: Vec<usize>,
    /// How often every run is repeated; the brains take turns
    #[arg(long, default_value_t = 1)]
    pub(crate) rounds: usize,
    /// Seconds for which each run sends
    #[arg(long, default_value_t = 5)]
    pub(crate) seconds: u64,
    /// Tasks ready for each run with one event per frame, three events each: the run ends when they are sent
    #[arg(long, default_value_t = 50_000)]
    pub(crate) tasks_single: u64,
    /// The same for runs with larger frames
    #[arg(long, default_value_t = 120_000)]
    pub(crate) tasks_batched: u64,
    /// Send this many events per second over all connections, each when it is due, instead of as many as acks allow
    #[arg(long)]
    pub(crate) rate: Option<u64>,
    /// Show the rate when so many tasks are stored, at 50 connections and one event per frame. Our own stores are filled
    /// directly from one size to the next
    #[arg(long, value_name = "TASKS", value_delimiter = ',')]
    pub(crate) decay: Vec<u64>,
    /// Leave out the driver's own ceiling
    #[arg(long)]
    pub(crate) no_ceiling: bool,
}

/// Runs every shape on every brain.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    ensure!(
        !options.connections.contains(&0) && !options.events_per_frame.contains(&0),
        "at least one connection and one event per frame are needed"
    );
    let mut report = Report::new("ingest");
    let targets = options.targets.resolve().await?;
    for target in &targets {
        // Wrong URLs and refused credentials show before anything is measured.
        if let Target::Foreign(_) = target {
            target.ready(agents_for(options)).await?;
        }
    }
    if !options.no_ceiling {
        for events_per_frame in &options.events_per_frame {
            let load = Load {
                connections: 50,
                events_per_frame: *events_per_frame,
                time_max: Duration::from_secs(2),
            };
            ceiling::line(&mut report, load).await?;
        }
    }
    report.note("driver, brains and databases share this machine's cores; ack times of a closed loop are mostly queueing");
    if !options.decay.is_empty() {
        decay::run(options, &targets, &mut report).await?;
        return Ok(report);
    }
    let mut bench = Bench {
        options,
        report,
        alone: vec![Vec::new(); targets.len()],
        rates: Vec::new(),
    };
    for round in 1..=options.rounds.max(1) {
        bench.round(&targets, round).await?;
    }
    bench.medians();
    Ok(bench.report)
}

/// Enough agents for the largest run: each may hold 64 links.
fn agents_for(options: &Options) -> usize {
    let most = options.connections.iter().max().copied().unwrap_or(1);
    most.div_ceil(50)
}

struct Bench<'a> {
    options: &'a Options,
    report: Report,
    /// What each brain's store did alone, in each round.
    alone: Vec<Vec<f64>>,
    /// Shape and brain to the rates of all rounds.
    rates: Vec<(String, usize, Vec<f64>)>,
}

impl Bench<'_> {
    async fn round(&mut self, targets: &[Target], round: usize) -> anyhow::Result<()> {
        for (index, target) in targets.iter().enumerate() {
            if let Target::Own(own) = target {
                let events = work(self.options.tasks_batched.min(40_000));
                let (opened, place) = own.store().await?;
                let postgres = place.watched().postgres;
                let (rate, costs) = store_alone::measure(&opened.store, &events, postgres).await?;
                opened.close().await;
                self.alone[index].push(rate);
                let mut values = vec![("events_per_s", rate)];
                values.extend(costs.columns());
                let name = format!("{} store alone, round {round}", target.name());
                self.report.line(name, &values);
            }
        }
        for events_per_frame in &self.options.events_per_frame {
            for connections in &self.options.connections {
                let load = Load {
                    connections: *connections,
                    events_per_frame: *events_per_frame,
                    time_max: Duration::from_secs(self.options.seconds),
                };
                for (index, target) in targets.iter().enumerate() {
                    self.shape(target, index, load, round).await?;
                }
            }
        }
        Ok(())
    }

    async fn shape(
        &mut self,
        target: &Target,
        index: usize,
        load: Load,
        round: usize,
    ) -> anyhow::Result<()> {
        let ready = target.ready(load.connections.div_ceil(50)).await?;
        let shape = format!(
            "{} {}x{}",
            target.name(),
            load.connections,
            load.events_per_frame
        );
        let mut values = match self.options.rate {
            Some(rate) => paced_values(&paced_run(&ready, load, rate).await?),
            None => {
                let tasks = if load.events_per_frame < 10 {
                    self.options.tasks_single
                } else {
                    self.options.tasks_batched
                };
                closed_values(&closed_run(&ready, load, work(tasks)).await?)
            }
        };
        let rate = values[0].1;
        if let Some(alone) = self.alone[index].last() {
            values.insert(1, ("of_alone_pct", 100.0 * rate / alone));
        }
        self.report.line(format!("{shape}, round {round}"), &values);
        match self.rates.iter_mut().find(|(name, _, _)| *name == shape) {
            Some((_, _, rates)) => rates.push(rate),
            None => self.rates.push((shape, index, vec![rate])),
        }
        Ok(())
    }

    fn medians(&mut self) {
        if self.options.rounds < 2 {
            return;
        }
        for (shape, index, rates) in std::mem::take(&mut self.rates) {
            let rate = median(&rates);
            let mut values = vec![("events_per_s", rate)];
            if !self.alone[index].is_empty() {
                values.push(("of_alone_pct", 100.0 * rate / median(&self.alone[index])));
            }
            self.report.line(format!("median {shape}"), &values);
        }
    }
}

/// A closed loop over fresh links; fails unless what was acknowledged is stored.
pub(crate) async fn closed_run(
    ready: &Ready,
    load: Load,
    events: Vec<BenchEvent>,
) -> anyhow::Result<Outcome> {
    let lanes = lanes(load.connections, load.events_per_frame, events);
    let before = ready.task_count().await;
    let links = connect_all(&ready.credentials, load.connections).await?;
    let outcome = drive(links, lanes, load, ready.watched).await?;
    ready.check_stored(before, outcome.tasks).await?;
    Ok(outcome)
}

/// An open loop over fresh links at `rate` events per second, for the time of `load` after a warm-up of one second.
pub(crate) async fn paced_run(ready: &Ready, load: Load, rate: u64) -> anyhow::Result<Paced> {
    const WARM_UP: Duration = Duration::from_secs(1);
    ensure!(
        rate > 0,
        "a rate of at least one event per second is needed"
    );
    let seconds = load.time_max.as_secs() + WARM_UP.as_secs();
    let per_frame = u64::try_from(load.events_per_frame)?;
    let connections = u64::try_from(load.connections)?;
    let each = (rate * seconds).div_ceil(per_frame * connections);
    // Three events to a task, and as many tasks for each connection.
    let events = work((each * per_frame).div_ceil(3) * connections);
    let mut lanes = lanes(load.connections, load.events_per_frame, events);
    for lane in &mut lanes {
        lane.truncate(usize::try_from(each)?);
    }
    let interval = Duration::from_secs_f64(number(per_frame) / number(rate));
    let before = ready.task_count().await;
    let links = connect_all(&ready.credentials, load.connections).await?;
    let paced = paced::drive(links, lanes, interval, WARM_UP, ready.watched).await?;
    ready.check_stored(before, paced.tasks).await?;
    Ok(paced)
}

/// The events of `tasks` tasks that ran until now, with ids that no other run has.
pub(crate) fn work(tasks: u64) -> Vec<BenchEvent> {
    let env = Env::system();
    let seed = u64::from_le_bytes(env.secret_bytes::<8>());
    let span_ms = i64::try_from(tasks).unwrap_or(0) + 1_000;
    let start = Timestamp::from_micros(env.now().as_micros() - span_ms * 1_000);
    lifecycle(seed, tasks, start)
}

fn closed_values(outcome: &Outcome) -> Vec<(&'static str, f64)> {
    let mut values = vec![
        ("events_per_s", outcome.events_per_second()),
        ("ack_p50_ms", outcome.ack_ms(0.5)),
        ("ack_p99_ms", outcome.ack_ms(0.99)),
        ("events", number(outcome.events)),
    ];
    values.extend(outcome.costs.columns());
    values
}

fn paced_values(paced: &Paced) -> Vec<(&'static str, f64)> {
    let mut values = vec![
        (
            "events_per_s",
            number(paced.events) / paced.took.as_secs_f64(),
        ),
        ("ack_p50_ms", paced.ack_ms(0.5)),
        ("ack_p99_ms", paced.ack_ms(0.99)),
        ("events", number(paced.events)),
    ];
    values.extend(paced.costs.columns());
    values
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
