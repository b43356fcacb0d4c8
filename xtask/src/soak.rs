//! `cargo xtask soak`: fresh seeds of the simulators for a while, one seed again, or real brains under longer faults.

use std::time::{Duration, Instant, SystemTime};

use anyhow::bail;
use clap::{Args, ValueEnum};

use crate::postgres;
use crate::process;
use crate::workspace::Workspace;

/// What to run, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// Only this layer; without, those that need nothing but this program share the time.
    #[arg(long)]
    layer: Option<Layer>,
    /// For how many minutes; in layer r for how many each fault goes on.
    #[arg(long, default_value_t = 5)]
    minutes: u64,
    /// Run this seed once, instead of fresh ones.
    #[arg(long, requires = "layer")]
    seed: Option<u64>,
    /// Print everything that happens; with --seed.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Build with optimisations first: more seeds per second.
    #[arg(long)]
    release: bool,
}

/// The layers of `docs/testing.md` that find more the longer they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layer {
    /// The frame simulator.
    F,
    /// The TCP simulator.
    T,
    /// The byte cutter, which has no seeds: it cuts at every position.
    B,
    /// Real brains on a real PostgreSQL, whose faults go on for the given time.
    R,
}

/// Runs what was asked for; an error names what failed, after the tool itself has printed how to play it again.
pub(crate) fn soak(workspace: &Workspace, order: &Soak) -> anyhow::Result<()> {
    let minutes = Duration::from_secs(60 * order.minutes.max(1));
    match (order.layer, order.seed) {
        (Some(Layer::F), Some(seed)) => frames(workspace, order, &["--seed", &seed.to_string()]),
        (Some(Layer::F), None) => fresh_frames(workspace, order, order.minutes),
        (Some(Layer::T), Some(seed)) => tcp_seed(workspace, order, seed),
        (Some(Layer::T), None) => fresh_tcp(workspace, order, minutes),
        (Some(Layer::B), Some(_)) => bail!("layer b has no seeds: it cuts at every byte"),
        (Some(Layer::B), None) => cutter(workspace, order),
        (Some(Layer::R), Some(_)) => bail!("layer r has no seeds: real processes meet real chance"),
        (Some(Layer::R), None) => real(workspace, order, minutes),
        (None, _) => {
            cutter(workspace, order)?;
            fresh_frames(workspace, order, order.minutes.div_ceil(2))?;
            fresh_tcp(workspace, order, minutes / 2)
        }
    }
}

fn fresh_frames(workspace: &Workspace, order: &Soak, minutes: u64) -> anyhow::Result<()> {
    frames(workspace, order, &["--minutes", &minutes.to_string()])
}

fn frames(workspace: &Workspace, order: &Soak, arguments: &[&str]) -> anyhow::Result<()> {
    let mut run = workspace.cargo();
    run.args(["run", "--quiet", "--locked", "--package", "z4j-testkit"])
        .args(["--features", "simulator", "--bin", "simulate"])
        .args(order.release.then_some("--release"))
        .arg("--")
        .args(arguments)
        .args(order.trace.then_some("--trace"));
    process::run(&mut run, "the frame simulator")
}

fn tests(workspace: &Workspace, order: &Soak, test: &str) -> std::process::Command {
    let mut run = workspace.cargo();
    run.args(["test", "--quiet", "--locked", "--package", "z4j-testkit"])
        .args(["--features", "tcp", "--test", test])
        .args(order.release.then_some("--release"))
        .arg("--");
    run
}

fn tcp_seed(workspace: &Workspace, order: &Soak, seed: u64) -> anyhow::Result<()> {
    let mut run = tests(workspace, order, "turmoil");
    run.args(["--ignored", "--exact", "seed_of_the_environment"])
        .args(order.trace.then_some("--nocapture"))
        .env("Z4J_SEED", seed.to_string());
    if order.trace {
        run.env("Z4J_TRACE", "1");
    }
    process::run(&mut run, "the TCP simulator")
}

fn fresh_tcp(workspace: &Workspace, order: &Soak, lasts: Duration) -> anyhow::Result<()> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let first = since.as_secs().wrapping_mul(1_000_000);
    let begin = Instant::now();
    let mut seeds = 0;
    while begin.elapsed() < lasts {
        let seed = first + seeds;
        if let Err(error) = tcp_seed(workspace, order, seed) {
            println!("play it again with: cargo xtask soak --layer t --seed {seed}");
            return Err(error);
        }
        seeds += 1;
    }
    let rate = f64::from(u32::try_from(seeds)?) / begin.elapsed().as_secs_f64();
    println!("{seeds} seeds from {first} on: {rate:.1} seeds/s");
    Ok(())
}

fn cutter(workspace: &Workspace, order: &Soak) -> anyhow::Result<()> {
    let mut run = tests(workspace, order, "cutter");
    // Three of four bytes of the stock agent are for this only.
    run.arg("--include-ignored");
    process::run(&mut run, "the byte cutter")
}

/// The servers that `cargo xtask test` would use.
fn real(workspace: &Workspace, order: &Soak, lasts: Duration) -> anyhow::Result<()> {
    let mut run = workspace.cargo();
    run.args(["test", "--quiet", "--locked", "--package", "z4j"])
        .args(["--all-features", "--test", "faults"])
        .args(order.release.then_some("--release"))
        .args(["--", "--nocapture", "--test-threads", "1"])
        .env("Z4J_SOAK_SECONDS", lasts.as_secs().to_string());
    if let Some(server) = postgres::require(workspace)? {
        run.env("Z4J_TEST_PG_BIN", server);
    }
    process::run(&mut run, "the faults of real brains")
}
