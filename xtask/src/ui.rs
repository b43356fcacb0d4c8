//! Building the dashboard, only when something changed.

use std::process::Command;

use anyhow::Context;

use crate::process;
use crate::stamp::{Stamp, files_below};
use crate::tools;
use crate::workspace::Workspace;

/// Folders of `ui/` that are results, not sources.
const RESULTS: &[&str] = &["node_modules", "dist", ".tanstack", ".output", "coverage"];

/// A command of the dashboard's own package manager.
pub(crate) fn npm(workspace: &Workspace, args: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(args).current_dir(workspace.path("ui"));
    command
}

/// Installs exactly what the lock file names, if that changed. Install scripts of packages do not run.
pub(crate) fn install(workspace: &Workspace) -> anyhow::Result<()> {
    tools::require_node()?;
    let inputs = [
        workspace.path("ui/package.json"),
        workspace.path("ui/package-lock.json"),
    ];
    let stamp = Stamp::of(workspace, "ui-install", &inputs, "")?;
    if stamp.is_current() && workspace.path("ui/node_modules").is_dir() {
        return Ok(());
    }
    let ci = [
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ];
    process::run(&mut npm(workspace, &ci), "npm ci")?;
    stamp.keep()
}

/// Builds the static files that the brain embeds, if a source changed.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<()> {
    install(workspace)?;
    let sources = files_below(&workspace.path("ui"), RESULTS)?;
    let stamp = Stamp::of(workspace, "ui-build", &sources, "")?;
    if stamp.is_current() && workspace.path("ui/dist").is_dir() {
        return Ok(());
    }
    process::run(
        &mut npm(workspace, &["run", "build"]),
        "the dashboard's build",
    )?;
    stamp.keep().context("the dashboard was built")
}
