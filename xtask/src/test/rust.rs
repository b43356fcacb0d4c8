//! Formatting, lints, tests and generated files of the Rust workspace.

use std::path::Path;
use std::process::Command;

use crate::generate;
use crate::postgres;
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
    let server = postgres::require(workspace)?;
    let mut findings = unit_and_integration(workspace, server.as_deref())?;
    if findings.trouble.is_some() {
        return Ok(findings);
    }
    let on_newest = on_newest_postgres(workspace)?;
    findings.tally += on_newest.tally;
    if on_newest.trouble.is_some() {
        findings.trouble = on_newest.trouble;
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

/// With the features of every run, so that nothing is compiled twice.
const SCOPE: &[&str] = &[
    "--workspace",
    "--all-features",
    "--locked",
    "--no-fail-fast",
];

fn unit_and_integration(
    workspace: &Workspace,
    postgres: Option<&Path>,
) -> anyhow::Result<Findings> {
    let runner: &[&str] = if has_nextest() {
        &["nextest", "run"]
    } else {
        &["test", "--lib", "--bins", "--tests", "--examples"]
    };
    let mut tests = workspace.cargo();
    tests.args(runner).args(SCOPE);
    if let Some(postgres) = postgres {
        tests.env("Z4J_TEST_PG_BIN", postgres);
    }
    run(&mut tests, "the Rust tests", "a Rust test")
}

/// Test programs of the store for what hangs on the server's version: the suite, partitions and races, what a start and a
/// listener meet. The library's own tests, with the plans of queries, run too.
const ON_NEWEST: [&str; 5] = ["conformance", "ingest", "citus", "start", "ears"];

/// What hangs on the server's version once more, on the newest server beside the machine's own.
fn on_newest_postgres(workspace: &Workspace) -> anyhow::Result<Findings> {
    let programs = postgres::newest(workspace)?;
    println!("the store on {}", programs.display());
    let mut tests = workspace.cargo();
    if has_nextest() {
        let named = ON_NEWEST.map(|name| format!("binary({name})")).join(" | ");
        let wanted = format!("package(z4j-store-pg) & (kind(lib) | {named})");
        tests.args(["nextest", "run"]).args(SCOPE);
        tests.args(["-E", &wanted]);
    } else {
        tests.args(["test", "--package", "z4j-store-pg", "--all-features"]);
        tests.args(["--locked", "--no-fail-fast", "--lib"]);
        tests.args(ON_NEWEST.iter().flat_map(|name| ["--test", name]));
    }
    tests
        .env("Z4J_TEST_PG_BIN", programs)
        .env_remove("DATABASE_URL");
    run(
        &mut tests,
        "the store on PostgreSQL 18",
        "a case on PostgreSQL 18",
    )
}

fn has_nextest() -> bool {
    tools::find(&["cargo-nextest"]).is_some()
}

fn run(tests: &mut Command, what: &str, one: &str) -> anyhow::Result<Findings> {
    let (status, lines) = process::run_reading_along(tests, what)?;
    counted(&lines, status.success(), one)
}
