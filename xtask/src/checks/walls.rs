//! Dependency walls, read from `cargo tree`: what a crate reaches through normal dependencies with every feature on.

use std::collections::BTreeSet;

use anyhow::bail;

use crate::process;
use crate::workspace::Workspace;

const RUNTIME: &[&str] = &["tokio", "async-std", "smol"];
const HTTP_SERVER: &[&str] = &["axum", "hyper", "tower-http"];
const DATABASES: &[&str] = &[
    "rusqlite",
    "libsqlite3-sys",
    "sqlx",
    "sqlx-core",
    "tokio-postgres",
    "z4j-store-sqlite",
    "z4j-store-pg",
];

/// What a stranger receives: libraries to embed and binaries to run.
const SHIPPED: &[&str] = &[
    "z4j-core",
    "z4j-store-pg",
    "z4j-store-sqlite",
    "z4j-agent",
    "z4j-brain",
    "z4j-ui",
    "z4j",
];

pub(super) fn core(workspace: &Workspace) -> anyhow::Result<()> {
    let clients = [
        "reqwest",
        "tokio-tungstenite",
        "tungstenite",
        "z4j-agent",
        "z4j-brain",
        "z4j-ui",
    ];
    keeps_out(
        workspace,
        "z4j-core",
        &[RUNTIME, HTTP_SERVER, DATABASES, &clients],
    )
}

pub(super) fn agent(workspace: &Workspace) -> anyhow::Result<()> {
    keeps_out(
        workspace,
        "z4j-agent",
        &[&["axum", "z4j-brain", "z4j-ui"], DATABASES],
    )
}

pub(super) fn brain(workspace: &Workspace) -> anyhow::Result<()> {
    keeps_out(workspace, "z4j-brain", &[&["z4j-agent"], DATABASES])
}

pub(super) fn testkit_stays_out(workspace: &Workspace) -> anyhow::Result<()> {
    for package in SHIPPED {
        keeps_out(
            workspace,
            package,
            &[&["z4j-testkit", "z4j-benches", "xtask", "proptest", "insta"]],
        )?;
    }
    Ok(())
}

fn keeps_out(workspace: &Workspace, package: &str, forbidden: &[&[&str]]) -> anyhow::Result<()> {
    let mut tree = workspace.cargo();
    tree.args([
        "tree",
        "--quiet",
        "--locked",
        "--edges",
        "normal",
        "--all-features",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    tree.args(["--package", package]);
    let reached = names(&String::from_utf8(process::read(&mut tree, "cargo tree")?)?);
    if !reached.contains(package) {
        bail!("cargo tree says nothing about {package}");
    }
    let found: Vec<&str> = forbidden
        .iter()
        .copied()
        .flatten()
        .copied()
        .filter(|name| reached.contains(*name))
        .collect();
    if !found.is_empty() {
        bail!(
            "{package} must not reach {}: see `cargo tree -p {package} -e normal -i {}`",
            found.join(", "),
            found.first().unwrap_or(&"")
        );
    }
    Ok(())
}

/// Package names, the first word of each line.
fn names(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_are_read_without_versions_paths_and_marks() {
        let tree = "z4j-core v0.1.0 (/somewhere/z4j-core)\nserde v1.0.0\nserde v1.0.0 (*)\n";
        assert_eq!(
            names(tree).into_iter().collect::<Vec<_>>(),
            ["serde", "z4j-core"]
        );
    }
}
