//! `cargo xtask bench`: the benchmark crate, in release, with its numbers kept under `target/bench/`.

use std::fs;

use crate::process;
use crate::workspace::Workspace;

/// Builds the release brain and the benchmarks, then runs the ones asked for.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    fs::create_dir_all(workspace.target("bench"))?;
    let packages = ["--package", "z4j", "--package", "z4j-benches"];
    process::run(
        workspace
            .cargo()
            .args(["build", "--release", "--locked"])
            .args(packages),
        "cargo build",
    )?;
    let mut run = workspace.cargo();
    run.args([
        "run",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "z4j-benches",
        "--",
    ])
    .args(args);
    process::run(&mut run, "the benchmark")
}
