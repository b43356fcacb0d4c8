//! Task list, filters, search, sorts and the thousandth page over REST, with many tasks stored.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use z4j_core::env::Env;
use z4j_core::keys::to_hex;
use z4j_core::time::Timestamp;

use crate::client::Admin;
use crate::loader;
use crate::meter::{Meter, mib, number};
use crate::population::Population;
use crate::query_cases::{Case, cases};
use crate::ready::{Kept, OwnBrain, Ready};
use crate::report::Report;
use crate::store_alone::Tenant;
use crate::stores::StoreKind;
use crate::target::{Own, Target, TargetArgs};

/// The tasks of a load ran within this time.
const SPAN: Duration = Duration::from_secs(24 * 3_600);
/// What is in a kept folder.
const MARKER: &str = "load.json";

/// What to drive and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    targets: TargetArgs,
    /// Tasks to store before our own brain is asked; another is asked about what it has
    #[arg(long, default_value_t = 1_000_000)]
    tasks: u64,
    /// Events of each stored task: 1 its outcome, 2 its receipt too, 3 its start too
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    events_per_task: u8,
    /// Keep what is stored in this folder (for --store postgres with --database-url in a database that is named there), and
    /// use it again the next time; a load that was stopped is taken up where it was
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Store the tasks and ask nothing
    #[arg(long, requires = "keep")]
    load_only: bool,
    /// Requests of each kind
    #[arg(long, default_value_t = 200)]
    samples: usize,
    /// Requests at once
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    concurrency: Vec<usize>,
    /// A kind of request that takes longer than this stops, with fewer samples
    #[arg(long, default_value_t = 15)]
    case_seconds: u64,
    /// Only kinds of requests whose name holds this text
    #[arg(long)]
    only: Option<String>,
}

/// Asks every brain every question, in turns.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("query");
    let mut brains = Vec::new();
    for (name, ready) in brains_of(options, &mut report).await? {
        if options.load_only {
            continue;
        }
        let admin = ready.signed_in()?;
        let tasks = admin.task_count().await?;
        let cases = cases(admin, options.tasks).await?;
        brains.push((format!("{name}, {tasks} tasks"), ready, cases));
    }
    let count = brains.iter().map(|(_, _, cases)| cases.len()).max();
    for index in 0..count.unwrap_or(0) {
        for concurrency in &options.concurrency {
            for (name, ready, cases) in &brains {
                let Some(case) = cases.get(index) else {
                    continue;
                };
                let only = options.only.as_deref().unwrap_or_default();
                if case.name.contains(only) {
                    let asked = ask(options, ready, case, (*concurrency).max(1)).await?;
                    report.line(format!("{name}: {} c={concurrency}", case.name), &asked);
                }
            }
        }
    }
    report.note("request sent to answer read to its end, 50 rows a page, keep-alive; rows: in the first answer; errors: answers that were no success, not in the times");
    Ok(report)
}

/// Every brain with its tasks stored.
async fn brains_of(options: &Options, report: &mut Report) -> anyhow::Result<Vec<(String, Ready)>> {
    let mut kinds = options.targets.store.clone();
    if kinds.is_empty() && options.targets.brain.is_empty() {
        kinds.push(StoreKind::Sqlite);
    }
    let mut brains = Vec::new();
    for kind in kinds {
        let root = options.keep.as_ref().map(|dir| dir.join(kind.as_str()));
        let server = root.as_ref().map(|root| root.join("server"));
        let own = options.targets.own(kind, server).await?;
        let name = format!("z4j {}", kind.as_str());
        let ready = loaded(options, &own, root.as_deref(), report).await?;
        brains.push((name, ready));
    }
    for foreign in options.targets.foreign()? {
        let target = Target::Foreign(foreign);
        brains.push((target.name(), target.ready(0).await?));
    }
    Ok(brains)
}

/// What a kept folder says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Marker {
    database: String,
    project: String,
    agent: String,
    seed: u64,
    start_us: i64,
    step_us: u64,
    events_per_task: u8,
    tasks: u64,
}

/// Our own brain with its tasks stored, running.
async fn loaded(
    options: &Options,
    own: &Own,
    root: Option<&Path>,
    report: &mut Report,
) -> anyhow::Result<Ready> {
    let marker_path = root.map(|root| root.join(MARKER));
    let known = marker_path
        .as_deref()
        .map(read_marker)
        .transpose()?
        .flatten();
    let database = known.as_ref().map_or_else(
        || {
            format!(
                "z4j_bench_kept_{}",
                to_hex(&Env::system().secret_bytes::<4>())
            )
        },
        |marker| marker.database.clone(),
    );
    let kept = root.map(|root| Kept {
        dir: root.join("data"),
        database: database.clone(),
    });
    let mut brain = own.brain(kept.as_ref()).await?;
    let mut marker = match known {
        Some(marker) => marker,
        None => new_marker(options, &mut brain, database).await?,
    };
    save(&marker, marker_path.as_deref())?;
    if marker.tasks < options.tasks {
        let path = marker_path.as_deref();
        load(&brain, &mut marker, options.tasks, path, own.kind, report).await?;
    }
    if let Some(database) = &brain.database {
        let bytes = database.number("SELECT pg_database_size(current_database())");
        let kib = u64::try_from(bytes.await?)? / 1_024;
        report.note(format!("the PostgreSQL database has {:.0} MiB", mib(kib)));
    } else {
        let file = brain.launch.data_dir.join("z4j.db");
        let kib = std::fs::metadata(file)?.len() / 1_024;
        report.note(format!("the SQLite file has {:.0} MiB", mib(kib)));
    }
    brain.start()?;
    let admin = brain.sign_in().await?;
    let watched = brain.watched();
    Ok(Ready::with(Vec::new(), admin, watched, brain))
}

fn read_marker(path: &Path) -> anyhow::Result<Option<Marker>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{} is not what a load left behind", path.display())),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn save(marker: &Marker, path: Option<&Path>) -> anyhow::Result<()> {
    match path {
        Some(path) => Ok(std::fs::write(path, serde_json::to_vec(marker)?)?),
        None => Ok(()),
    }
}

/// Starts a brain once for its schema, a project and an agent.
async fn new_marker(
    options: &Options,
    brain: &mut OwnBrain,
    database: String,
) -> anyhow::Result<Marker> {
    brain.start()?;
    let (admin, minted) = brain.agents(1).await?;
    let agent = minted.first().context("no agent")?.agent_id.clone();
    let project = admin.project_id().await?;
    brain.kill()?;
    let env = Env::system();
    let span_us = u64::try_from(SPAN.as_micros())?;
    let step_us = (span_us / options.tasks.max(1)).clamp(1, 1_000_000);
    let before = i64::try_from(step_us * options.tasks)? + 60_000_000;
    Ok(Marker {
        database,
        project,
        agent,
        seed: u64::from_le_bytes(env.secret_bytes::<8>()),
        start_us: env.now().as_micros() - before,
        step_us,
        events_per_task: options.events_per_task,
        tasks: 0,
    })
}

async fn load(
    brain: &OwnBrain,
    marker: &mut Marker,
    tasks: u64,
    marker_path: Option<&Path>,
    kind: StoreKind,
    report: &mut Report,
) -> anyhow::Result<()> {
    let opened = brain.open_store().await?;
    let tenant = Tenant {
        project: marker.project.parse()?,
        agent: marker.agent.parse()?,
    };
    let population = Population {
        seed: marker.seed,
        start: Timestamp::from_micros(marker.start_us),
        step_us: marker.step_us,
        events_per_task: marker.events_per_task,
    };
    let meter = Meter::start(brain.watched());
    let range = marker.tasks..tasks;
    let loaded = loader::load(&opened.store, tenant, population, range, |up_to| {
        marker.tasks = up_to;
        save(marker, marker_path)
    })
    .await?;
    opened.close().await;
    let mut values = vec![
        ("events_per_s", loaded.events_per_second()),
        ("seconds", loaded.took.as_secs_f64()),
        ("tasks", number(tasks)),
    ];
    values.extend(meter.stop().columns());
    report.line(format!("z4j {} load", kind.as_str()), &values);
    if let Some(database) = &brain.database {
        let began = Instant::now();
        database.settle().await?;
        report.note(format!(
            "after the load texts were indexed, the database vacuumed and analysed in {:.0} s, which store and server do beside ingest in time",
            began.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}

/// Asks one question often; answers the columns.
async fn ask(
    options: &Options,
    ready: &Ready,
    case: &Case,
    concurrency: usize,
) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let admin = ready.signed_in()?;
    // Uncounted, so that connections are open; the first answer says how many rows there are.
    let rows = match admin.get(case.path(0)).await {
        Ok(body) => body
            .get("items")
            .and_then(Value::as_array)
            .map_or(0, Vec::len),
        Err(_) => 0,
    };
    let next = Arc::new(AtomicUsize::new(0));
    let until = Instant::now() + Duration::from_secs(options.case_seconds);
    let meter = Meter::start(ready.watched);
    let askers: Vec<_> = (0..concurrency)
        .map(|_| {
            let (admin, case, next) = (admin.clone(), case.clone(), Arc::clone(&next));
            tokio::spawn(asker(admin, case, next, options.samples, until))
        })
        .collect();
    let (mut times, mut errors) = (Histogram::<u64>::new(3)?, 0);
    for asker in askers {
        let (its_times, its_errors) = asker.await??;
        times.add(&its_times)?;
        errors += its_errors;
    }
    let costs = meter.stop();
    ensure!(
        times.len() + errors > 0,
        "{} was not asked once: no samples are wanted",
        case.name
    );
    let ms = |quantile| number(times.value_at_quantile(quantile)) / 1_000.0;
    let mut values = vec![
        ("p50_ms", ms(0.5)),
        ("p99_ms", ms(0.99)),
        ("max_ms", ms(1.0)),
        ("samples", number(times.len())),
        ("errors", number(errors)),
        ("rows", number(u64::try_from(rows)?)),
    ];
    values.extend(costs.columns());
    Ok(values)
}

async fn asker(
    admin: Admin,
    case: Case,
    next: Arc<AtomicUsize>,
    samples: usize,
    until: Instant,
) -> anyhow::Result<(Histogram<u64>, u64)> {
    let (mut times, mut errors) = (Histogram::<u64>::new(3)?, 0);
    loop {
        let sample = next.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        if sample >= samples || began > until {
            return Ok((times, errors));
        }
        match admin.fetch(case.path(sample)).await {
            Ok(_) => times.record(u64::try_from(began.elapsed().as_micros())?.max(1))?,
            Err(_) => errors += 1,
        }
    }
}
