//! `cargo xtask gen`: files that are printed by our own programs and kept in the repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::process;
use crate::ui;
use crate::workspace::Workspace;

use Printer::{Binary, DashboardScript, Example};

/// What prints a generated file.
#[derive(Debug, Clone, Copy)]
enum Printer {
    /// The binary of a package that has its name, with arguments.
    Binary(&'static str, &'static [&'static str]),
    /// An example program of a package, with arguments.
    Example(&'static str, &'static str, &'static [&'static str]),
    /// A script of the dashboard that writes the file itself.
    DashboardScript(&'static str),
}

/// Every generated file, in the order in which they must be written: the dashboard's types come from the OpenAPI document.
const GENERATORS: &[(&str, Printer)] = &[
    (
        "docs/task-states.md",
        Example("z4j-core", "states", &["task"]),
    ),
    (
        "docs/command-states.md",
        Example("z4j-core", "states", &["command"]),
    ),
    ("z4j-brain/openapi.json", Binary("z4j", &["openapi"])),
    ("ui/src/api/schema.d.ts", DashboardScript("gen")),
];

/// Writes every generated file again, or with `check` only says which one is not current.
pub(crate) fn generate(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    for (file, printer) in GENERATORS {
        if let Binary(package, _) | Example(package, ..) = printer {
            let mut build = workspace.cargo();
            build.args(["build", "--quiet", "--locked", "--package", package]);
            if let Example(_, name, _) = printer {
                build.args(["--example", name]);
            }
            process::run(&mut build, "cargo build")?;
        }
        apply(workspace, file, *printer, check)?;
    }
    Ok(())
}

/// Compares every generated file with what its already built program prints; returns how many there are.
pub(crate) fn check_built(workspace: &Workspace) -> anyhow::Result<u64> {
    for (file, printer) in GENERATORS {
        apply(workspace, file, *printer, true)?;
    }
    Ok(u64::try_from(GENERATORS.len())?)
}

fn apply(workspace: &Workspace, file: &str, printer: Printer, check: bool) -> anyhow::Result<()> {
    let path = workspace.path(file);
    let before = fs::read(&path).ok();
    let after = match printer {
        DashboardScript(script) => written_by_script(workspace, script, &path)?,
        Binary(package, args) => {
            printed(workspace, &workspace.target("debug").join(package), args)?
        }
        Example(_, name, args) => printed(
            workspace,
            &workspace.target("debug/examples").join(name),
            args,
        )?,
    };
    if !check {
        write(&path, &after)?;
        println!(
            "{} {file}",
            if before.as_ref() == Some(&after) {
                "same   "
            } else {
                "written"
            }
        );
    } else if before.as_ref() != Some(&after) {
        if let (DashboardScript(_), Some(before)) = (printer, &before) {
            write(&path, before)?;
        }
        bail!(
            "{file} is not what its generator prints: run `cargo xtask gen` and commit the result"
        );
    }
    Ok(())
}

fn written_by_script(workspace: &Workspace, script: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    ui::install(workspace)?;
    process::read(
        &mut ui::npm(workspace, &["run", "--silent", script]),
        "the dashboard's generator",
    )?;
    fs::read(path).with_context(|| format!("{} was not written", path.display()))
}

fn printed(workspace: &Workspace, program: &Path, args: &[&str]) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new(program);
    process::read(
        command.args(args).current_dir(workspace.root()),
        &program.display().to_string(),
    )
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}
