//! `cargo xtask bench`: the benchmark crate, in release. It prints tables and writes `target/bench/NAME.jsonl`.

use crate::process;
use crate::ui;
use crate::workspace::Workspace;

/// What runs when no name is given: those that drive brains, then the others.
const BRAINS: &[&str] = &["ingest", "ack", "command", "query", "idle", "storm"];
const OTHERS: &[&str] = &["driver-ceiling", "verify", "footprint"];

/// Builds the brain as it ships and the benchmarks, then runs the one asked for, or every one. Flags without a name go to
/// each benchmark that drives brains.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    ui::build(workspace)?;
    // On its own, as `serve` builds it: together with the benchmarks it would be compiled with their features too.
    build(workspace, "z4j")?;
    build(workspace, "z4j-benches")?;
    let is_named = args.first().is_some_and(|first| !first.starts_with('-'));
    let is_help = args.iter().any(|arg| arg == "--help" || arg == "-h");
    if is_named || is_help {
        return run(workspace, args);
    }
    for name in BRAINS {
        let named = std::iter::once((*name).to_owned()).chain(args.iter().cloned());
        run(workspace, &named.collect::<Vec<_>>())?;
    }
    OTHERS
        .iter()
        .try_for_each(|name| run(workspace, &[(*name).to_owned()]))
}

fn build(workspace: &Workspace, package: &str) -> anyhow::Result<()> {
    let mut build = workspace.cargo();
    build.args(["build", "--release", "--locked", "--package", package]);
    process::run(&mut build, "cargo build")
}

fn run(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    let mut benches = std::process::Command::new(workspace.target("release/z4j-benches"));
    benches.args(args).current_dir(workspace.root());
    process::run(&mut benches, "the benchmark")
}
