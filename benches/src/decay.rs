//! Whether ingest slows down as the store grows: measured slices over the wire, and between them the store is filled, so
//! that millions of tasks take minutes. How fast it could be filled is printed too.
//!
//! A machine is not as fast in one minute as in the next. So our own brain is measured in turns with a young one, which
//! begins empty at each size, on the same server if there is one. What both lose is the machine's, or what runs beside
//! ingest for either, such as the indexing of texts, which takes the same share of a core however much waits.

use std::time::Duration;

use anyhow::ensure;

use crate::driver::{Load, Outcome};
use crate::grown::Grown;
use crate::ingest::{Options, closed_run, work};
use crate::meter::number;
use crate::ready::Ready;
use crate::report::Report;
use crate::target::Target;

pub(crate) const LOAD: Load = Load {
    connections: 50,
    events_per_frame: 1,
    time_max: Duration::ZERO,
};

/// Measures every brain at every size, in turns.
pub(crate) async fn run(
    options: &Options,
    targets: &[Target],
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut sizes = options.decay.clone();
    sizes.sort_unstable();
    let mut growing = Vec::new();
    for target in targets {
        growing.push(Grown::none(target, sizes.last().copied().unwrap_or(0)).await?);
    }
    for tasks in sizes {
        for (target, grown) in targets.iter().zip(&mut growing) {
            ensure!(
                grown.stored <= tasks,
                "{} tasks are stored already when {tasks} are to be measured: name sizes that lie further apart, or fewer rounds",
                grown.stored
            );
            let filled = grown.fill(tasks).await?;
            let name = format!("{} at {tasks} tasks", target.name());
            let slices = slices(options, target, grown, &name, report).await?;
            report.line(name, &summary(grown, &slices, filled));
        }
    }
    report.note("events_per_s is that of all slices of a size together, of_young_pct against those of a young brain, each measured right after one; tasks and young_tasks are what was stored at the end of them");
    report.note("a PostgreSQL database is vacuumed and written out before the first slice of a size: after that every page that is touched is logged whole; wal_b_per_event is of the whole server");
    report.note("fill_events_per_s: our own stores are filled directly, two events per task, a foreign brain over 50 connections with 100 events per frame; 0 where nothing had to be filled");
    Ok(())
}

/// One measurement of the grown brain, and of the young one.
struct Slice {
    grown: Measured,
    young: Option<Measured>,
}

struct Measured {
    outcome: Outcome,
    /// What the server wrote to its log meanwhile, for whomever; `None` where it does not say, as managed ones may not.
    wal_bytes: Option<i64>,
}

async fn slices(
    options: &Options,
    target: &Target,
    grown: &mut Grown,
    name: &str,
    report: &mut Report,
) -> anyhow::Result<Vec<Slice>> {
    let ready = grown.ready(target).await?;
    let young = match target {
        Target::Own(_) => Some(target.ready(1).await?),
        Target::Foreign(_) => None,
    };
    if let Some(database) = grown.database() {
        // The server would clean up after the filling during the slices.
        database.tidy().await?;
    }
    let mut slices = Vec::new();
    for round in 1..=options.rounds.max(1) {
        let measured = measure(options, &ready, grown).await?;
        grown.stored += measured.outcome.tasks;
        let young = match &young {
            Some(young) => Some(measure(options, young, grown).await?),
            None => None,
        };
        let slice = Slice {
            grown: measured,
            young,
        };
        report.line(format!("{name}, slice {round}"), &slice.values());
        slices.push(slice);
    }
    Ok(slices)
}

async fn measure(options: &Options, ready: &Ready, grown: &Grown) -> anyhow::Result<Measured> {
    let load = Load {
        time_max: Duration::from_secs(options.seconds),
        ..LOAD
    };
    let log = async || match grown.database() {
        Some(database) => database.wal_bytes().await.ok(),
        None => None,
    };
    let before = log().await;
    let outcome = closed_run(ready, load, work(options.tasks_single)).await?;
    let wal_bytes = before
        .zip(log().await)
        .map(|(before, after)| after - before);
    Ok(Measured { outcome, wal_bytes })
}

impl Measured {
    fn wal_bytes_per_event(&self) -> Option<f64> {
        let bytes = u64::try_from(self.wal_bytes?).ok()?;
        Some(number(bytes) / number(self.outcome.events))
    }
}

impl Slice {
    fn of_young_pct(&self) -> Option<f64> {
        let young = self.young.as_ref()?.outcome.events_per_second();
        Some(100.0 * self.grown.outcome.events_per_second() / young)
    }

    fn values(&self) -> Vec<(&'static str, f64)> {
        let mut values = vec![("events_per_s", self.grown.outcome.events_per_second())];
        values.extend(self.of_young_pct().map(|share| ("of_young_pct", share)));
        if let Some(young) = &self.young {
            values.push(("young_events_per_s", young.outcome.events_per_second()));
            let bytes = young.wal_bytes_per_event();
            values.extend(bytes.map(|bytes| ("young_wal_b_per_event", bytes)));
        }
        let bytes = self.grown.wal_bytes_per_event();
        values.extend(bytes.map(|bytes| ("wal_b_per_event", bytes)));
        values.push(("events", number(self.grown.outcome.events)));
        values.extend(self.grown.outcome.costs.columns());
        values
    }
}

/// All slices as one: what runs now and then beside ingest, such as the indexing of texts, falls into some of them only.
fn summary(grown: &Grown, slices: &[Slice], filled: f64) -> Vec<(&'static str, f64)> {
    let rate = rate(slices.iter().map(|slice| &slice.grown));
    let mut values = vec![("events_per_s", rate)];
    let young: Vec<_> = slices.iter().filter_map(|s| s.young.as_ref()).collect();
    let young_tasks: Vec<u64> = young.iter().map(|young| young.outcome.tasks).collect();
    if !young.is_empty() {
        let young = self::rate(young.into_iter());
        values.push(("of_young_pct", 100.0 * rate / young));
        values.push(("young_events_per_s", young));
    }
    values.push(("fill_events_per_s", filled));
    values.push(("tasks", number(grown.stored)));
    if !young_tasks.is_empty() {
        values.push(("young_tasks", number(young_tasks.iter().sum())));
    }
    values
}

fn rate<'m>(of: impl Iterator<Item = &'m Measured>) -> f64 {
    let (mut events, mut seconds) = (0, 0.0);
    for measured in of {
        events += measured.outcome.events;
        seconds += measured.outcome.took.as_secs_f64();
    }
    number(events) / seconds
}
