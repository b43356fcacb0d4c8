//! `cargo xtask gen`: files that are printed by our own programs and kept in the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process;
use crate::ui;
use crate::workspace::Workspace;

/// What prints a generated file.
#[derive(Debug, Clone, Copy)]
enum Printer {
    /// A binary of the package, with arguments.
    Binary {
        package: &'static str,
        args: &'static [&'static str],
    },
    /// An example program of the package.
    Example {
        package: &'static str,
        name: &'static str,
    },
    /// A script of the dashboard that writes the file itself.
    DashboardScript(&'static str),
}

/// One generated file.
#[derive(Debug, Clone, Copy)]
struct Generator {
    file: &'static str,
    printer: Printer,
}

/// Every generated file, in the order in which they must be written: the dashboard's types come from the OpenAPI document.
const GENERATORS: &[Generator] = &[
    Generator {
        file: "docs/task-states.md",
        printer: Printer::Example {
            package: "z4j-core",
            name: "states",
        },
    },
    Generator {
        file: "z4j-brain/openapi.json",
        printer: Printer::Binary {
            package: "z4j",
            args: &["openapi"],
        },
    },
    Generator {
        file: "ui/src/api/schema.d.ts",
        printer: Printer::DashboardScript("gen"),
    },
];

/// Writes every generated file again, or with `check` only says which one is not current.
pub(crate) fn generate(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    for generator in GENERATORS {
        if let Printer::Binary { package, .. } | Printer::Example { package, .. } =
            generator.printer
        {
            let mut build = workspace.cargo();
            build.args(["build", "--quiet", "--locked", "--package", package]);
            if let Printer::Example { name, .. } = generator.printer {
                build.args(["--example", name]);
            }
            process::run(&mut build, "cargo build")?;
        }
        apply(workspace, *generator, check)?;
    }
    Ok(())
}

/// Compares every generated file with what its already built program prints; returns how many there are.
pub(crate) fn check_built(workspace: &Workspace) -> anyhow::Result<u64> {
    for generator in GENERATORS {
        apply(workspace, *generator, true)?;
    }
    Ok(u64::try_from(GENERATORS.len())?)
}

fn apply(workspace: &Workspace, generator: Generator, check: bool) -> anyhow::Result<()> {
    let path = workspace.path(generator.file);
    let before = fs::read(&path).ok();
    let after = match generator.printer {
        Printer::DashboardScript(script) => written_by_script(workspace, script, &path)?,
        Printer::Binary { .. } | Printer::Example { .. } => printed(workspace, generator.printer)?,
    };
    if !check {
        write(&path, &after)?;
        println!(
            "{} {}",
            if before.as_ref() == Some(&after) {
                "same   "
            } else {
                "written"
            },
            generator.file
        );
    } else if before.as_ref() != Some(&after) {
        if let (Printer::DashboardScript(_), Some(before)) = (generator.printer, &before) {
            write(&path, before)?;
        }
        bail!(
            "{} is not what its generator prints: run `cargo xtask gen` and commit the result",
            generator.file
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

fn printed(workspace: &Workspace, printer: Printer) -> anyhow::Result<Vec<u8>> {
    let (program, args): (PathBuf, &[&str]) = match printer {
        Printer::Binary { package, args } => (workspace.target("debug").join(package), args),
        Printer::Example { name, .. } => (workspace.target("debug/examples").join(name), &[]),
        Printer::DashboardScript(script) => bail!("{script} prints nothing"),
    };
    let what = program.display().to_string();
    process::read(
        Command::new(&program)
            .args(args)
            .current_dir(workspace.root()),
        &what,
    )
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}
