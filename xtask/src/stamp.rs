//! Remembers what a slow step was run on, so that it runs again only after a change.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::workspace::Workspace;

/// A digest of some inputs, and the file that holds the digest of the last successful run.
#[derive(Debug)]
pub(crate) struct Stamp {
    file: PathBuf,
    digest: String,
}

impl Stamp {
    /// Digests the inputs: names and contents of files, plus `salt`.
    pub(crate) fn of(
        workspace: &Workspace,
        name: &str,
        inputs: &[PathBuf],
        salt: &str,
    ) -> anyhow::Result<Self> {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        for input in inputs {
            input
                .strip_prefix(workspace.root())
                .unwrap_or(input)
                .hash(&mut hasher);
            fs::read(input)
                .with_context(|| format!("{} cannot be read", input.display()))?
                .hash(&mut hasher);
        }
        let file = workspace.target("xtask-stamps").join(name);
        Ok(Self {
            file,
            digest: format!("{:016x}", hasher.finish()),
        })
    }

    /// Whether the last successful run had the same inputs.
    pub(crate) fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|kept| kept == self.digest)
    }

    /// Remembers a successful run.
    pub(crate) fn keep(&self) -> anyhow::Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.file, &self.digest)
            .with_context(|| format!("{} cannot be written", self.file.display()))
    }
}

/// Every file below a folder, sorted, without the named folders.
pub(crate) fn files_below(folder: &Path, left_out: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)
            .with_context(|| format!("{} cannot be listed", folder.display()))?
        {
            let entry = entry?;
            let kind = entry.file_type()?;
            if left_out.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
