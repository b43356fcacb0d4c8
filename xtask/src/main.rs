//! The project's own tasks: `cargo xtask serve`, `test`, `soak`, `bench`, `gen`, `deny`.
#![allow(
    clippy::disallowed_methods,
    reason = "a tool on the developer's machine: it may read the clock and the environment"
)]

mod bench;
mod checks;
mod deny;
mod generate;
mod postgres;
mod process;
mod serve;
mod services;
mod soak;
mod stamp;
mod tally;
mod test;
mod tools;
mod ui;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The project's own tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the dashboard and a release brain, then run `z4j serve` with the given arguments.
    Serve {
        /// Arguments for `z4j serve`, after `--`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run everything that must pass.
    Test(test::Selection),
    /// Run fresh seeds of the simulators for a while, or one seed again.
    Soak(soak::Soak),
    /// Run a benchmark (all of them without a name) and keep its numbers under `target/bench/`.
    Bench {
        /// Which benchmark, then its own arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Write the generated files again.
    Gen {
        /// Change nothing; fail if a file is not what its generator prints.
        #[arg(long)]
        check: bool,
    },
    /// Check bans, licences, sources and advisories with cargo-deny, installing it under `target/tools` if needed.
    Deny,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::locate()?;
    match task {
        Task::Serve { args } => serve::serve(&workspace, &args)?,
        Task::Test(selection) => return Ok(test::run(&workspace, &selection)),
        Task::Soak(order) => soak::soak(&workspace, &order)?,
        Task::Bench { args } => bench::bench(&workspace, &args)?,
        Task::Gen { check } => generate::generate(&workspace, check)?,
        Task::Deny => deny::deny(&workspace)?,
    }
    Ok(ExitCode::SUCCESS)
}
