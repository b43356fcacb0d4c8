//! `cargo xtask deny`: cargo-deny over the whole lock file.

use std::path::PathBuf;

use crate::process;
use crate::tools;
use crate::workspace::Workspace;

/// Where cargo-deny is, if it is installed anywhere we look.
pub(crate) fn installed(workspace: &Workspace) -> Option<PathBuf> {
    let own = workspace.target("tools/bin/cargo-deny");
    tools::find(&["cargo-deny"]).or_else(|| own.is_file().then_some(own))
}

/// Runs every check of `deny.toml`; installs cargo-deny first if it is nowhere (minutes on two cores).
pub(crate) fn deny(workspace: &Workspace) -> anyhow::Result<()> {
    if installed(workspace).is_none() {
        println!("cargo-deny is not installed: building it under target/tools");
        let mut install = workspace.cargo();
        install
            .args([
                "install",
                "cargo-deny",
                "--version",
                "^0.20",
                "--locked",
                "--root",
            ])
            .arg(workspace.target("tools"));
        process::run(&mut install, "cargo install cargo-deny")?;
    }
    let Some(tool) = installed(workspace) else {
        anyhow::bail!("cargo-deny was installed and is not there")
    };
    let mut check = std::process::Command::new(tool);
    check
        .args(["--all-features", "check"])
        .current_dir(workspace.root());
    process::run(&mut check, "cargo deny check")
}
