//! Licences of everything in the lock file, against the list that cargo-deny uses too.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::process;
use crate::workspace::Workspace;

#[derive(Deserialize)]
struct DenyFile {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    package: String,
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
}

pub(super) fn allowed(workspace: &Workspace) -> anyhow::Result<()> {
    let file =
        fs::read_to_string(workspace.path("deny.toml")).context("deny.toml cannot be read")?;
    let rules: DenyFile = toml::from_str(&file).context("deny.toml is not readable")?;
    let mut ask = workspace.cargo();
    ask.args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--all-features",
    ]);
    let metadata: Metadata = serde_json::from_slice(&process::read(&mut ask, "cargo metadata")?)?;
    let refused: Vec<String> = metadata
        .packages
        .iter()
        .filter_map(|package| refusal(package, &rules.licenses))
        .collect();
    if !refused.is_empty() {
        bail!("not on the list of deny.toml:\n  {}", refused.join("\n  "));
    }
    Ok(())
}

/// cargo-deny itself, without the network: bans, licences and sources.
pub(super) fn cargo_deny(workspace: &Workspace) -> anyhow::Result<()> {
    let Some(tool) = crate::deny::installed(workspace) else {
        return Ok(());
    };
    let mut check = Command::new(tool);
    check.args([
        "--offline",
        "--all-features",
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]);
    process::read(check.current_dir(workspace.root()), "cargo deny check")?;
    Ok(())
}

/// Why a package may not come in; `None` where it may.
fn refusal(package: &Package, rules: &Licences) -> Option<String> {
    let Some(licence) = &package.license else {
        return Some(format!(
            "{} {} names no licence",
            package.name, package.version
        ));
    };
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return Some(format!(
            "{} {} has the licence `{licence}`, which is not an SPDX expression",
            package.name, package.version
        ));
    };
    let excepted = rules
        .exceptions
        .iter()
        .find(|exception| exception.package == package.name);
    let on_list = |name: &str| {
        rules.allow.contains(name)
            || excepted.is_some_and(|exception| exception.allow.contains(name))
    };
    if expression.evaluate(|requirement| on_list(&requirement.to_string())) {
        return None;
    }
    Some(format!(
        "{} {} has the licence `{licence}`",
        package.name, package.version
    ))
}

#[cfg(test)]
mod tests {
    use super::{Licences, Package, refusal};

    fn refused(licence: &str) -> bool {
        let rules = Licences {
            allow: ["MIT".to_owned(), "Unicode-3.0".to_owned()].into(),
            exceptions: Vec::new(),
        };
        let package = Package {
            name: "p".to_owned(),
            version: "1.0.0".to_owned(),
            license: Some(licence.to_owned()),
        };
        refusal(&package, &rules).is_some()
    }

    #[test]
    fn one_allowed_side_of_a_choice_is_enough() {
        assert!(!refused("MIT OR GPL-3.0-only"));
        assert!(!refused("MIT/Apache-2.0"));
        assert!(!refused("(GPL-2.0-only OR MIT) AND Unicode-3.0"));
    }

    #[test]
    fn every_side_of_a_conjunction_must_be_allowed() {
        assert!(refused("MIT AND AGPL-3.0-only"));
        assert!(refused("AGPL-3.0-or-later"));
    }

    #[test]
    fn a_package_without_a_readable_licence_is_refused() {
        assert!(refused("see the file"));
    }
}
