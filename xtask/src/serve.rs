//! `cargo xtask serve`: from a fresh clone to a running brain.

use std::process::Command;

use crate::process;
use crate::ui;
use crate::workspace::Workspace;

/// Builds the dashboard and the release brain, then becomes `z4j serve ARGS`.
pub(crate) fn serve(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    ui::build(workspace)?;
    process::run(
        workspace
            .cargo()
            .args(["build", "--release", "--locked", "--package", "z4j"]),
        "cargo build",
    )?;
    let mut brain = Command::new(workspace.target("release/z4j"));
    brain.arg("serve").args(args);
    become_the(brain)
}

/// On Unix the brain takes this process over, so that signals and the exit code are its own.
#[cfg(unix)]
fn become_the(mut brain: Command) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    Err(anyhow::Error::new(brain.exec()).context("z4j could not be started"))
}

/// Elsewhere it stays a child; a console sends it the same signals.
#[cfg(not(unix))]
fn become_the(mut brain: Command) -> anyhow::Result<()> {
    process::run(&mut brain, "z4j serve")
}
