//! `cargo xtask test`: everything that must pass, in an order that finds cheap faults first.

mod browser;
mod celery;
mod examples;
mod rust;
mod ui;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;
use clap::{Args, ValueEnum};

use crate::checks;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Which steps to run.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Run only these steps; the others count as skipped.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Step>,
    /// Leave these steps out; they count as skipped.
    #[arg(long, value_delimiter = ',')]
    skip: Vec<Step>,
}

/// The steps, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// The tree itself: dependency walls, file lengths, licences.
    Tree,
    /// rustfmt.
    Format,
    /// The dashboard: types, lint, unit tests, build, size budget.
    Ui,
    /// clippy over the workspace.
    Lint,
    /// Rust tests, documentation tests, generated files.
    Rust,
    /// Crates of a third party, outside the workspace.
    Examples,
    /// The brain with a real Celery worker and the published agent.
    Celery,
    /// The dashboard walked in Chromium against a real brain and worker.
    Browser,
}

/// What a step found: its counts, and a sentence if something is wrong.
pub(crate) struct Findings {
    pub(crate) tally: Tally,
    pub(crate) trouble: Option<String>,
}

impl Findings {
    /// One check that held.
    pub(crate) fn held() -> Self {
        Self {
            tally: Tally::ONE_PASSED,
            trouble: None,
        }
    }
}

impl Step {
    fn is_selected(self, selection: &Selection) -> bool {
        (selection.only.is_empty() || selection.only.contains(&self))
            && !selection.skip.contains(&self)
    }

    fn run(self, workspace: &Workspace, is_built: bool) -> anyhow::Result<Findings> {
        match self {
            Self::Tree => tree(workspace),
            Self::Format => rust::format(workspace),
            Self::Ui => ui::check(workspace),
            Self::Lint => rust::lint(workspace),
            Self::Rust => rust::test(workspace),
            Self::Examples => examples::check(workspace),
            Self::Celery => celery::check(workspace, is_built),
            Self::Browser => browser::check(workspace, is_built),
        }
    }
}

/// Runs the selected steps up to the first that fails; the last line is the sum of all counts.
pub(crate) fn run(workspace: &Workspace, selection: &Selection) -> ExitCode {
    let mut total = Tally::default();
    let mut times = Vec::new();
    let mut trouble = None;
    let (selected, left_out): (Vec<Step>, Vec<Step>) = Step::value_variants()
        .iter()
        .partition(|step| step.is_selected(selection));
    left_out.iter().for_each(|_| total += Tally::ONE_SKIPPED);
    let is_built = selected.contains(&Step::Rust);
    for step in selected {
        println!("\n== {}", step.name());
        let started = Instant::now();
        let findings = step
            .run(workspace, is_built)
            .unwrap_or_else(|error| Findings {
                tally: Tally::ONE_FAILED,
                trouble: Some(format!("{error:#}")),
            });
        times.push(format!(
            "{:>8.1} s  {:<8} {}",
            started.elapsed().as_secs_f64(),
            step.name(),
            findings.tally
        ));
        total += findings.tally;
        if findings.trouble.is_some() || findings.tally.failed > 0 {
            let sentence = findings
                .trouble
                .unwrap_or_else(|| "a check failed".to_owned());
            trouble = Some(format!("{}: {sentence}", step.name()));
            break;
        }
    }
    println!("\n{}", times.join("\n"));
    if let Some(trouble) = &trouble {
        total.failed = total.failed.max(1);
        println!("\n{trouble}");
    }
    println!("{total}");
    if trouble.is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

fn tree(workspace: &Workspace) -> anyhow::Result<Findings> {
    let mut tally = Tally::default();
    let mut broken = Vec::new();
    let cargo_deny = checks::cargo_deny(workspace);
    if cargo_deny.is_none() {
        println!(
            "note    cargo-deny is not installed: `cargo xtask deny` checks bans, sources and advisories too"
        );
    }
    for check in checks::ALL.iter().chain(&cargo_deny) {
        match (check.run)(workspace) {
            Ok(()) => {
                tally += Tally::ONE_PASSED;
                println!("ok      {}", check.name);
            }
            Err(error) => {
                tally += Tally::ONE_FAILED;
                println!("FAILED  {}: {error:#}", check.name);
                broken.push(check.name);
            }
        }
    }
    let trouble = (!broken.is_empty()).then(|| format!("does not hold: {}", broken.join("; ")));
    Ok(Findings { tally, trouble })
}

/// The counts in some output; no counts at all means that the program ended before it tested anything.
pub(crate) fn counted(lines: &[String], ended_well: bool, what: &str) -> anyhow::Result<Findings> {
    let Some(tally) = crate::tally::read(lines) else {
        bail!("{what} ended without saying how many checks it made")
    };
    if tally.passed == 0 && tally.failed == 0 {
        bail!("{what} ran no check at all");
    }
    let trouble = (!ended_well || tally.failed > 0).then(|| format!("{what} failed"));
    Ok(Findings { tally, trouble })
}
