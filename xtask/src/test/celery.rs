//! The brain with a real Celery worker: `tests-e2e/celery_truths.py` states what must be seen.

use std::process::Command;

use crate::process;
use crate::services::{Brain, Redis, fresh_folder, python_environment};
use crate::test::{Findings, counted, rust};
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace, is_built: bool) -> anyhow::Result<Findings> {
    rust::build_brain(workspace, is_built)?;
    let bin = python_environment(workspace)?;
    let redis = Redis::start(workspace)?;
    let brain = Brain::start(workspace, "celery-brain")?;
    let folder = fresh_folder(workspace, "celery")?;
    let mut truths = Command::new(bin.join("python"));
    truths.arg(workspace.path("tests-e2e/celery_truths.py"));
    truths.args(["--base", &brain.base_url, "--setup-url", &brain.setup_url]);
    truths
        .arg("--brain-log")
        .arg(&brain.log)
        .arg("--brain-data")
        .arg(&brain.data);
    truths
        .arg("--work")
        .arg(&folder)
        .env("E2E_REDIS_URL", &redis.url);
    truths
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUNBUFFERED", "1");
    let (status, lines) =
        process::run_reading_along(&mut truths, "the checks with a real Celery worker")?;
    let mut findings = counted(
        &lines,
        status.success(),
        "a check with a real Celery worker",
    )?;
    if let Some(trouble) = &mut findings.trouble {
        trouble.push_str(&format!(
            " (brain's log: {}; worker's logs: {})",
            brain.log.display(),
            folder.display()
        ));
    }
    Ok(findings)
}
