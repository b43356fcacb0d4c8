//! What agents cost that only say that they live.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use futures_util::StreamExt;

use crate::credentials::Credentials;
use crate::link::Link;
use crate::meter::{Meter, mib, number, usage_of};
use crate::nofile;
use crate::ready::Ready;
use crate::report::Report;
use crate::target::{Target, TargetArgs};

/// An agent may hold 64 links at once.
const LINKS_PER_AGENT: usize = 50;

/// What to drive and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    targets: TargetArgs,
    /// Links
    #[arg(long, default_value_t = 2_000)]
    links: usize,
    /// Seconds for which they idle; every link says that it lives in each interval that the brain asked for, 30 s with ours
    #[arg(long, default_value_t = 40)]
    hold_seconds: u64,
    /// Seconds before memory is read, so that the allocator and the first timers have settled
    #[arg(long, default_value_t = 5)]
    settle_seconds: u64,
}

/// A connected agent that only says that it lives.
#[derive(Debug)]
pub(crate) struct IdleLink {
    open: Arc<AtomicBool>,
    reader: tokio::task::JoinHandle<()>,
}

impl IdleLink {
    /// Connects; pings are answered and heartbeats sent from then on.
    pub(crate) async fn open(credentials: &Credentials, worker_id: &str) -> anyhow::Result<Self> {
        let mut link = Link::connect(credentials, worker_id).await?;
        link.beat().await?;
        let open = Arc::new(AtomicBool::new(true));
        let flag = Arc::clone(&open);
        let reader = tokio::spawn(async move {
            let mut beat = tokio::time::interval(link.heartbeat);
            beat.tick().await;
            loop {
                let alive = tokio::select! {
                    message = link.socket.next() => matches!(message, Some(Ok(_))),
                    _ = beat.tick() => link.beat().await.is_ok(),
                };
                if !alive {
                    break;
                }
            }
            flag.store(false, Ordering::Release);
        });
        Ok(Self { open, reader })
    }

    /// Whether the brain still holds the link.
    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

impl Drop for IdleLink {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Measures every brain.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Report> {
    nofile::check(options.links)?;
    let mut report = Report::new("idle");
    for target in options.targets.resolve().await? {
        one(options, &target, &mut report).await?;
    }
    report.note(
        "resident memory of the brain's processes; what the kernel keeps for a socket is not in it",
    );
    Ok(report)
}

async fn one(options: &Options, target: &Target, report: &mut Report) -> anyhow::Result<()> {
    let settle = Duration::from_secs(options.settle_seconds);
    let agents = options.links.div_ceil(LINKS_PER_AGENT);
    let (before_agents, ready) = started(target, agents, settle).await?;
    let pid = ready.watched.brain;
    let pid = pid.context("memory is read from the kernel: give --pid for each --brain")?;
    tokio::time::sleep(settle).await;
    let base = usage_of(pid)?.rss_kib;
    let mut links = Vec::with_capacity(options.links);
    for index in 0..options.links {
        let credentials = &ready.credentials[index % agents];
        links.push(IdleLink::open(credentials, &format!("bench-{index}")).await?);
    }
    tokio::time::sleep(settle).await;
    let connected = usage_of(pid)?.rss_kib;
    let meter = Meter::start(ready.watched);
    tokio::time::sleep(Duration::from_secs(options.hold_seconds)).await;
    let costs = meter.stop();
    let held = usage_of(pid)?.rss_kib;
    ensure!(
        links.iter().all(IdleLink::is_open),
        "the brain closed idle links"
    );
    drop(links);
    tokio::time::sleep(settle).await;
    let count = number(u64::try_from(options.links)?);
    let each = |kib: u64| number(kib.saturating_sub(base)) / count;
    let mut values = vec![
        ("kib_per_link", each(held)),
        ("kib_per_link_at_first", each(connected)),
        ("rss_mib_signed_in", mib(base)),
        ("rss_mib_held", mib(held)),
        ("rss_mib_after", mib(usage_of(pid)?.rss_kib)),
    ];
    values.extend(costs.columns());
    let started = before_agents.map_or_else(String::new, |kib| {
        format!(", {:.1} MiB before sign-in", mib(kib))
    });
    report.line(
        format!("{} {} idle links{started}", target.name(), options.links),
        &values,
    );
    Ok(())
}

/// A brain with its agents; for ours also its memory before anybody had signed in. Sign-in hashes a password with 64 MiB
/// and minting writes, so the base for the links is read after both.
async fn started(
    target: &Target,
    agents: usize,
    settle: Duration,
) -> anyhow::Result<(Option<u64>, Ready)> {
    let Target::Own(own) = target else {
        return Ok((None, target.ready(agents).await?));
    };
    let mut brain = own.brain(None).await?;
    brain.start()?;
    tokio::time::sleep(settle).await;
    let pid = brain.watched().brain.context("the brain does not run")?;
    let before = usage_of(pid)?.rss_kib;
    let (admin, minted) = brain.agents(agents).await?;
    let credentials = minted.into_iter().map(|agent| agent.credentials).collect();
    let watched = brain.watched();
    Ok((
        Some(before),
        Ready::with(credentials, admin, watched, brain),
    ))
}
