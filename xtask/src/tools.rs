//! Programs of the machine that the tasks need: found, installed where we may, or named in one sentence.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::process;

/// The first of the names that is on the search path.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let search = std::env::var_os("PATH")?;
    names
        .iter()
        .flat_map(|name| std::env::split_paths(&search).map(move |folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

/// Finds one of the names, or installs the Debian package that brings it if we are root, or says what is missing.
pub(crate) fn find_or_install(
    names: &[&str],
    package: &str,
    what_for: &str,
) -> anyhow::Result<PathBuf> {
    if let Some(found) = find(names) {
        return Ok(found);
    }
    if install(package)
        && let Some(found) = find(names)
    {
        return Ok(found);
    }
    bail!(
        "{what_for} needs {}, which is not on this machine: install the package `{package}` and run this again",
        names.join(" or ")
    )
}

/// Installs a Debian package if this machine has apt-get and we are root; whether it worked.
pub(crate) fn install(package: &str) -> bool {
    let (Some(apt), true) = (find(&["apt-get"]), is_root()) else {
        return false;
    };
    println!("installing {package} with apt-get");
    let apt_get = |args: &[&str]| {
        let mut command = Command::new(&apt);
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        process::run(&mut command, "apt-get").is_ok()
    };
    let install = ["install", "-qq", "-y", "--no-install-recommends", package];
    apt_get(&install) || (apt_get(&["update", "-qq"]) && apt_get(&install))
}

fn is_root() -> bool {
    process::read(Command::new("id").arg("-u"), "id").is_ok_and(|uid| uid.trim_ascii() == b"0")
}

/// Fails unless Node and npm are there and Node is new enough for the dashboard's build.
pub(crate) fn require_node() -> anyhow::Result<()> {
    const NODE_MIN: (u32, u32) = (20, 19);
    let missing: Vec<&str> = ["node", "npm"]
        .into_iter()
        .filter(|name| find(&[name]).is_none())
        .collect();
    if !missing.is_empty() {
        bail!(
            "the dashboard is built with Node.js {}.{} or newer, and {} is not on this machine: install Node.js and run this again",
            NODE_MIN.0,
            NODE_MIN.1,
            missing.join(" and ")
        );
    }
    let version = String::from_utf8(process::read(
        Command::new("node").arg("--version"),
        "node",
    )?)?;
    if parse_version(version.trim().trim_start_matches('v')) < Some(NODE_MIN) {
        bail!(
            "the dashboard is built with Node.js {}.{} or newer, and this machine has {}",
            NODE_MIN.0,
            NODE_MIN.1,
            version.trim()
        );
    }
    Ok(())
}

/// A Python that the published agents accept.
pub(crate) fn require_python() -> anyhow::Result<PathBuf> {
    const PYTHON_MIN: (u32, u32) = (3, 11);
    let names = [
        "python3",
        "python3.11",
        "python3.12",
        "python3.13",
        "python3.14",
    ];
    let new_enough = |python: &Path| {
        let ask = "import sys; print('%d.%d' % sys.version_info[:2])";
        process::read(Command::new(python).args(["-c", ask]), "python3")
            .ok()
            .and_then(|version| parse_version(String::from_utf8_lossy(&version).trim()))
            >= Some(PYTHON_MIN)
    };
    if let Some(python) = names
        .iter()
        .filter_map(|name| find(&[name]))
        .find(|python| new_enough(python))
    {
        return Ok(python);
    }
    let python = find_or_install(
        &["python3"],
        "python3",
        "the check with a real Celery worker",
    )?;
    if !new_enough(&python) {
        bail!(
            "the check with a real Celery worker needs Python {}.{} or newer, and this machine has an older one",
            PYTHON_MIN.0,
            PYTHON_MIN.1
        );
    }
    Ok(python)
}

/// Major and minor of a dotted version.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn versions_compare_by_number_and_not_by_letter() {
        assert!(parse_version("20.9.0") < parse_version("20.19.1"));
        assert!(parse_version("3.9") < parse_version("3.11"));
        assert_eq!(parse_version("nightly"), None);
    }
}
