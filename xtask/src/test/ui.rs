//! The dashboard's own checks.

use std::fs;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::process;
use crate::tally::Tally;
use crate::test::Findings;
use crate::ui;
use crate::workspace::Workspace;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    num_passed_tests: u64,
    num_failed_tests: u64,
}

pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Findings> {
    ui::install(workspace)?;
    process::run(
        &mut ui::npm(workspace, &["run", "--silent", "typecheck"]),
        "the dashboard's type check",
    )?;
    process::run(
        &mut ui::npm(workspace, &["run", "--silent", "lint"]),
        "the dashboard's lint",
    )?;
    let mut tally = Tally {
        passed: 2,
        ..Tally::default()
    };
    tally += unit_tests(workspace)?;
    if tally.failed > 0 {
        return Ok(Findings {
            tally,
            trouble: Some("a unit test of the dashboard failed".to_owned()),
        });
    }
    ui::build(workspace)?;
    process::run(
        &mut ui::npm(workspace, &["run", "--silent", "check:size"]),
        "the dashboard's size budget",
    )?;
    tally.passed += 2;
    Ok(Findings {
        tally,
        trouble: None,
    })
}

fn unit_tests(workspace: &Workspace) -> anyhow::Result<Tally> {
    let file = workspace.target("ui-tests.json");
    // A report of an earlier run must not be counted for this one.
    if file.exists() {
        fs::remove_file(&file)?;
    }
    let output = format!("--outputFile.json={}", file.display());
    let mut test = ui::npm(
        workspace,
        &[
            "test",
            "--silent",
            "--",
            "--reporter=default",
            "--reporter=json",
            &output,
        ],
    );
    let status = test.status().context("npm test could not be started")?;
    let report = fs::read(&file).context("the dashboard's unit tests wrote no report")?;
    let report: Report = serde_json::from_slice(&report)
        .context("the report of the dashboard's unit tests is not readable")?;
    if report.num_passed_tests == 0 || (!status.success() && report.num_failed_tests == 0) {
        bail!("the dashboard's unit tests did not run to their end ({status})");
    }
    Ok(Tally {
        passed: report.num_passed_tests,
        failed: report.num_failed_tests,
        skipped: 0,
    })
}
