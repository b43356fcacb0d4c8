//! `cargo xtask bench`: the benchmark crate, in release. It prints a table and writes `target/bench/NAME.json`.

use crate::process;
use crate::ui;
use crate::workspace::Workspace;

/// What runs when no name is given.
const ALL: &[&str] = &["ingest", "footprint"];

/// Builds the brain as it ships and the benchmarks, then runs the one asked for, or every one.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    ui::build(workspace)?;
    // On its own, as `serve` builds it: together with the benchmarks it would be compiled with their features too.
    build(workspace, "z4j")?;
    build(workspace, "z4j-benches")?;
    if !args.is_empty() {
        return run(workspace, args);
    }
    ALL.iter()
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
