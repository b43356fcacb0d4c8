//! Formatting, lints, tests and generated files of the Rust workspace.

use crate::generate;
use crate::process;
use crate::tally::{self, Tally};
use crate::test::{Findings, counted};
use crate::tools;
use crate::workspace::Workspace;

pub(super) fn format(workspace: &Workspace) -> anyhow::Result<Findings> {
    process::run(
        workspace.cargo().args(["fmt", "--all", "--check"]),
        "cargo fmt --check",
    )?;
    Ok(Findings::held())
}

pub(super) fn lint(workspace: &Workspace) -> anyhow::Result<Findings> {
    let mut clippy = workspace.cargo();
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]);
    process::run(&mut clippy, "cargo clippy")?;
    Ok(Findings::held())
}

pub(super) fn test(workspace: &Workspace) -> anyhow::Result<Findings> {
    let mut findings = unit_and_integration(workspace)?;
    if findings.trouble.is_some() {
        return Ok(findings);
    }
    let mut documentation = workspace.cargo();
    documentation.args(["test", "--doc", "--workspace", "--all-features", "--locked"]);
    let (status, lines) = process::run_reading_along(&mut documentation, "cargo test --doc")?;
    findings.tally += tally::read(&lines).unwrap_or_default();
    if !status.success() {
        findings.trouble = Some("an example in the documentation failed".to_owned());
        return Ok(findings);
    }
    build_programs(workspace)?;
    findings.tally += Tally {
        passed: generate::check_built(workspace)?,
        ..Tally::default()
    };
    Ok(findings)
}

/// The brain for the end-to-end steps: the `rust` step leaves it behind; without that step it is built alone.
pub(super) fn build_brain(workspace: &Workspace, is_built: bool) -> anyhow::Result<()> {
    if is_built {
        return Ok(());
    }
    let mut build = workspace.cargo();
    build.args(["build", "--locked", "--package", "z4j"]);
    process::run(&mut build, "cargo build")
}

/// Builds the binaries and examples with the very features of the test run, so that this compiles almost nothing.
fn build_programs(workspace: &Workspace) -> anyhow::Result<()> {
    let mut build = workspace.cargo();
    build.args([
        "build",
        "--workspace",
        "--all-features",
        "--locked",
        "--bins",
        "--tests",
        "--examples",
    ]);
    process::run(&mut build, "cargo build")
}

fn unit_and_integration(workspace: &Workspace) -> anyhow::Result<Findings> {
    const SCOPE: &[&str] = &[
        "--workspace",
        "--all-features",
        "--locked",
        "--no-fail-fast",
    ];
    let runner: &[&str] = if tools::find(&["cargo-nextest"]).is_some() {
        &["nextest", "run"]
    } else {
        &["test", "--lib", "--bins", "--tests", "--examples"]
    };
    let mut tests = workspace.cargo();
    tests.args(runner).args(SCOPE);
    let (status, lines) = process::run_reading_along(&mut tests, "the Rust tests")?;
    counted(&lines, status.success(), "a Rust test")
}
