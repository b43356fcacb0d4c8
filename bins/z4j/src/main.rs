//! The z4j brain: server and operator's commands in one binary.
//!
//! The one place that reads the environment, installs the logger, catches signals and chooses a store.

mod assemble;
mod cli;
mod commands;
mod dashboard;
mod database;
mod logging;
mod output;
mod secrets;
mod serve;
mod settings;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::settings::{Flags, Settings};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.place.json;
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            output::print_failure(json, &error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut flags = Flags::default();
    if let Command::Serve(serve) = &cli.command {
        flags.bind = serve.bind;
        flags.public_url.clone_from(&serve.public_url);
    }
    match cli.command {
        Command::Version => return commands::version(cli.place.json),
        Command::Openapi => return commands::openapi(),
        _ => {}
    }
    let settings = Settings::read(&cli.place, flags)?;
    let runtime = assemble::runtime()?;
    if matches!(cli.command, Command::Serve(_)) {
        logging::install(&settings)?;
        for sentence in settings::unknown_variables() {
            tracing::warn!("{sentence}");
        }
        return runtime.block_on(serve::run(&settings));
    }
    runtime.block_on(commands::run(cli.command, &settings, cli.place.json))
}
