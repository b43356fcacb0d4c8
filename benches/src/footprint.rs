//! What a brain costs before it does anything: start-up time, idle memory, and memory for each idle agent.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;

use crate::client::Admin;
use crate::idle::IdleLink;
use crate::meter::{mib, number, usage_of};
use crate::process::Launch;
use crate::report::Report;

const STARTS: usize = 5;
const IDLE_AGENTS: usize = 500;
/// An agent may hold 64 links at once.
const LINKS_PER_AGENT: usize = 50;
/// Memory is read once the allocator and the first timers have settled.
const SETTLE: Duration = Duration::from_secs(5);

/// Measures a release brain on a fresh folder and again on the same folder.
pub(crate) async fn run(binary: &Path) -> anyhow::Result<Report> {
    let mut report = Report::new("footprint");
    let folder = tempfile::tempdir()?;
    let mut fresh_ms = Vec::new();
    for index in 0..STARTS {
        let dir = folder.path().join(format!("fresh-{index}"));
        let (_brain, took) = Launch::new(binary, &dir, None)?.start()?;
        fresh_ms.push(took.as_secs_f64() * 1_000.0);
    }
    let dir = folder.path().join("fresh-0");
    let mut again_ms = Vec::new();
    for _ in 0..STARTS {
        let (_brain, took) = Launch::new(binary, &dir, None)?.start()?;
        again_ms.push(took.as_secs_f64() * 1_000.0);
    }
    starts(&mut report, "start to ready, new data dir", &mut fresh_ms);
    starts(
        &mut report,
        "start to ready, existing data dir",
        &mut again_ms,
    );
    memory(&mut report, binary, &dir).await?;
    Ok(report)
}

fn starts(report: &mut Report, name: &str, took_ms: &mut [f64]) {
    took_ms.sort_by(f64::total_cmp);
    let median = took_ms.get(took_ms.len() / 2).copied().unwrap_or_default();
    let worst = took_ms.last().copied().unwrap_or_default();
    report.line(name, &[("median_ms", median), ("worst_ms", worst)]);
}

async fn memory(report: &mut Report, binary: &Path, dir: &Path) -> anyhow::Result<()> {
    let launch = Launch::new(binary, dir, None)?;
    let (brain, _) = launch.start()?;
    let rss_kib = || usage_of(brain.pid()).map(|usage| usage.rss_kib);
    tokio::time::sleep(SETTLE).await;
    report.line("idle, no agents", &[("rss_mib", mib(rss_kib()?))]);
    // Sign-in hashes a password with 64 MiB and minting writes: the base for the agents is read after both.
    let admin = Admin::sign_in(&launch.url(), &Launch::login()).await?;
    let mut credentials = Vec::new();
    for index in 0..IDLE_AGENTS / LINKS_PER_AGENT {
        let minted = admin.mint(&format!("footprint-{index}")).await?;
        credentials.push(minted.credentials);
    }
    tokio::time::sleep(SETTLE).await;
    let base = rss_kib()?;
    report.line("idle, signed in", &[("rss_mib", mib(base))]);
    let mut links = Vec::with_capacity(IDLE_AGENTS);
    for index in 0..IDLE_AGENTS {
        let credentials = &credentials[index / LINKS_PER_AGENT];
        links.push(IdleLink::open(credentials, &format!("bench-{index}")).await?);
    }
    tokio::time::sleep(SETTLE).await;
    let with_agents = rss_kib()?;
    ensure!(
        links.iter().all(IdleLink::is_open),
        "the brain closed idle links"
    );
    drop(links);
    tokio::time::sleep(SETTLE).await;
    let after = rss_kib()?;
    let hundreds = number(u64::try_from(IDLE_AGENTS)?) / 100.0;
    report.line(
        format!("{IDLE_AGENTS} idle agents"),
        &[
            ("rss_mib", mib(with_agents)),
            (
                "mib_per_100_agents",
                mib(with_agents.saturating_sub(base)) / hundreds,
            ),
            ("rss_mib_after", mib(after)),
        ],
    );
    Ok(())
}
