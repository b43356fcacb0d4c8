//! The brain is killed under load and started again: when is every agent back, when is every event acknowledged, and is
//! each stored once?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use z4j_core::env::Env;

use crate::client::Admin;
use crate::credentials::Credentials;
use crate::ingest::work;
use crate::meter::{Meter, number};
use crate::nofile;
use crate::payload::lanes;
use crate::ready::OwnBrain;
use crate::report::Report;
use crate::storm_agent::{Board, StormAgent};
use crate::target::{Own, Target, TargetArgs};

/// An agent may hold 64 links at once.
const LINKS_PER_AGENT: usize = 50;
const READS_AT_ONCE: usize = 16;

/// What to drive and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    targets: TargetArgs,
    /// Agents
    #[arg(long, default_value_t = 2_000)]
    agents: usize,
    /// Tasks of each agent, three events each, one event per frame
    #[arg(long, default_value_t = 4)]
    tasks: u64,
    /// Seconds over which the events are spread; the brain is killed in the middle
    #[arg(long, default_value_t = 8)]
    spread_seconds: u64,
    /// Seconds to wait for all agents and all acks after the kill
    #[arg(long, default_value_t = 120)]
    limit_seconds: u64,
}

/// Storms our own brain on each store.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    nofile::check(options.agents)?;
    ensure!(options.agents > 0, "at least one agent is needed");
    let mut report = Report::new("storm");
    for target in options.targets.resolve().await? {
        match target {
            Target::Own(own) => one(options, &own, &mut report).await?,
            Target::Foreign(foreign) => bail!(
                "{} runs already and cannot be killed and started from here: storm our own brain with --store",
                foreign.url
            ),
        }
    }
    report.note("seconds count from the kill; agents wait 1 s, 2 s, 4 s … and up to 30 % more between attempts, as published ones; the brain's columns are those of the one that was started again");
    Ok(report)
}

async fn one(options: &Options, own: &Own, report: &mut Report) -> anyhow::Result<()> {
    let mut brain = own.brain(None).await?;
    brain.start()?;
    let (_, minted) = brain
        .agents(options.agents.div_ceil(LINKS_PER_AGENT))
        .await?;
    let credentials: Vec<_> = minted.into_iter().map(|agent| agent.credentials).collect();
    let board = Arc::new(Board::default());
    let (start, started) = watch::channel(None);
    let (agents, planned) = plan(options, &credentials, &board);
    let mut running = JoinSet::new();
    let mut frames = 0;
    for agent in agents {
        frames += u64::try_from(agent.frame_count())?;
        running.spawn(agent.run(started.clone()));
    }
    let limit = Duration::from_secs(options.limit_seconds);
    let all = options.agents;
    reached(&board, limit, "connected", |board| {
        board.connected.load(Ordering::Acquire) == all
    })
    .await?;
    start.send_replace(Some(Instant::now()));
    tokio::time::sleep(Duration::from_secs(options.spread_seconds) / 2).await;
    let acked_before = board.acked.load(Ordering::Acquire);
    let (killed, ready_seconds) = restart(&mut brain, &board)?;
    let meter = Meter::start(brain.watched());
    reached(&board, limit, "back", |board| {
        board.back.load(Ordering::Acquire) == all
    })
    .await?;
    let back = killed.elapsed();
    reached(&board, limit, "acknowledged", |board| {
        board.acked.load(Ordering::Acquire) == frames
    })
    .await?;
    let acked = killed.elapsed();
    let costs = meter.stop();
    running.shutdown().await;
    let found = count(&brain.sign_in().await?, &planned).await?;
    let on_board = |counter: &AtomicU64| number(counter.load(Ordering::Acquire));
    let mut values = vec![
        ("ready_s", ready_seconds),
        ("all_back_s", back.as_secs_f64()),
        ("all_acked_s", acked.as_secs_f64()),
        ("events", number(frames)),
        ("acked_before_kill", number(acked_before)),
        ("sent_again", on_board(&board.sent_again)),
        ("failed_connects", on_board(&board.failed)),
        ("stored", number(found.stored)),
        ("lost", number(found.lost)),
        ("twice", number(found.twice)),
    ];
    values.extend(costs.columns());
    report.line(
        format!("z4j {} {} agents", own.kind.as_str(), options.agents),
        &values,
    );
    ensure!(
        found.lost == 0 && found.twice == 0,
        "{} acknowledged events are lost and {} are stored twice",
        found.lost,
        found.twice
    );
    Ok(())
}

/// Kills the brain and starts it again; answers when it was killed and how long the new one took to be ready.
fn restart(brain: &mut OwnBrain, board: &Board) -> anyhow::Result<(Instant, f64)> {
    brain.kill()?;
    let killed = Instant::now();
    board.is_killed.store(true, Ordering::Release);
    Ok((killed, brain.start()?))
}

/// Every agent's frames, and how many events each task has.
fn plan(
    options: &Options,
    credentials: &[Credentials],
    board: &Arc<Board>,
) -> (Vec<StormAgent>, BTreeMap<String, u64>) {
    let env = Env::system();
    let spread = Duration::from_secs(options.spread_seconds);
    let mut planned = BTreeMap::new();
    let agents = (0..options.agents).map(|index| {
        let events = work(options.tasks);
        for event in &events {
            *planned.entry(event.task_id.clone()).or_insert(0) += 1;
        }
        let payloads = lanes(1, 1, events).into_iter().flatten();
        let mut due: Vec<_> = payloads
            .map(|frame| (env.jitter(spread), frame.json))
            .collect();
        // The order of the events stays; the times are in order.
        let mut times: Vec<_> = due.iter().map(|(at, _)| *at).collect();
        times.sort_unstable();
        for ((at, _), time) in due.iter_mut().zip(times) {
            *at = time;
        }
        StormAgent {
            credentials: credentials[index / LINKS_PER_AGENT].clone(),
            worker_id: format!("bench-{index}"),
            frames: due,
            board: Arc::clone(board),
        }
    });
    (agents.collect(), planned)
}

/// Waits until all agents did something.
async fn reached(
    board: &Board,
    limit: Duration,
    what: &str,
    is_reached: impl Fn(&Board) -> bool + Send + Sync,
) -> anyhow::Result<()> {
    let waiting = async {
        while !is_reached(board) {
            board.changed.notified().await;
        }
    };
    tokio::time::timeout(limit, waiting).await.with_context(|| {
        format!(
            "not everything was {what} within {} s: {} agents are connected, {} are back, {} frames acknowledged",
            limit.as_secs(),
            board.connected.load(Ordering::Acquire),
            board.back.load(Ordering::Acquire),
            board.acked.load(Ordering::Acquire)
        )
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Found {
    stored: u64,
    lost: u64,
    twice: u64,
}

/// Reads every task's events over REST.
async fn count(admin: &Admin, planned: &BTreeMap<String, u64>) -> anyhow::Result<Found> {
    let counts = stream::iter(planned.clone()).map(|(task, planned)| async move {
        let body = admin.get(&format!("tasks/celery/{task}/events")).await;
        let stored = match body {
            Ok(body) => body
                .get("items")
                .and_then(Value::as_array)
                .map_or(0, Vec::len),
            // A task that is not there has no events; anything else shows as lost too.
            Err(_) => 0,
        };
        anyhow::Ok((planned, u64::try_from(stored)?))
    });
    counts
        .buffer_unordered(READS_AT_ONCE)
        .try_fold(
            Found::default(),
            |mut found, (planned, stored)| async move {
                found.stored += stored;
                found.lost += planned.saturating_sub(stored);
                found.twice += stored.saturating_sub(planned);
                Ok(found)
            },
        )
        .await
}
