//! The dashboard in Chromium: `ui/e2e/walk.mjs` walks it, a real Celery worker supplies the tasks.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::process::{self, Running};
use crate::services::{Brain, Redis, fresh_folder, python_environment};
use crate::test::{Findings, counted, rust};
use crate::tools;
use crate::ui;
use crate::workspace::Workspace;

/// What the walk prints, followed by JSON, as soon as it has minted an agent and waits for its first task.
const CREDENTIALS: &str = "CREDENTIALS ";

pub(super) fn check(workspace: &Workspace, is_built: bool) -> anyhow::Result<Findings> {
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let chromium = tools::find_or_install(&names, "chromium", "the walk through the dashboard")?;
    ui::build(workspace)?;
    rust::build_brain(workspace, is_built)?;
    let bin = python_environment(workspace)?;
    let redis = Redis::start(workspace)?;
    let brain = Brain::start(workspace, "browser-brain")?;
    let folder = fresh_folder(workspace, "browser")?;
    let mut walk = Command::new("node");
    walk.arg("e2e/walk.mjs")
        .args([
            "--base",
            &brain.base_url,
            "--setup-url",
            &brain.setup_url,
            "--out",
        ])
        .arg(&folder);
    walk.current_dir(workspace.path("ui"))
        .env("CHROMIUM", &chromium);
    walk.stdin(Stdio::null()).stdout(Stdio::piped());
    let (ended_well, lines) = supply_tasks(walk, |credentials| {
        worker(workspace, &bin, &redis, &brain, &folder, credentials)
    })?;
    let mut findings = counted(&lines, ended_well, "the walk through the dashboard")?;
    if let Some(trouble) = &mut findings.trouble {
        trouble.push_str(&format!(
            " (its log and screenshots: {}; brain's log: {})",
            folder.display(),
            brain.log.display()
        ));
    }
    Ok(findings)
}

/// Runs the walk to its end; when it prints credentials, starts a worker that lives as long as the walk.
fn supply_tasks(
    mut walk: Command,
    start: impl Fn(&str) -> anyhow::Result<Running>,
) -> anyhow::Result<(bool, Vec<String>)> {
    let mut running = Running::start(&mut walk, "the walk through the dashboard")?;
    let stdout = running
        .child()
        .stdout
        .take()
        .context("standard output is a pipe")?;
    let mut lines = Vec::new();
    let mut workers = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        match line.strip_prefix(CREDENTIALS) {
            // Not printed: the log of a test run is read by more people than may act as this agent.
            Some(credentials) => {
                println!("starting a Celery worker");
                workers.push(start(credentials)?);
            }
            None => println!("{line}"),
        }
        lines.push(line);
    }
    let ended_well = running.child().wait()?.success();
    Ok((ended_well, lines))
}

fn worker(
    workspace: &Workspace,
    bin: &Path,
    redis: &Redis,
    brain: &Brain,
    folder: &Path,
    credentials: &str,
) -> anyhow::Result<Running> {
    let mut command = process::tied_to_us(&bin.join("python"));
    command.arg(workspace.path("tests-e2e/shop_worker.py"));
    command
        .args(["--base", &brain.base_url, "--work"])
        .arg(folder);
    command
        .env("E2E_REDIS_URL", &redis.url)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped());
    let mut running = Running::start(&mut command, "the Celery worker")?;
    let stdin = running
        .child()
        .stdin
        .as_mut()
        .context("standard input is a pipe")?;
    writeln!(stdin, "{credentials}")?;
    Ok(running)
}
