//! The operator's commands. They work on the store itself, beside a running brain or without one.

mod agent;
mod audit;
mod doctor;
mod user;

use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use crate::assemble;
use crate::cli::Command;
use crate::database::Choice;
use crate::output;
use crate::secrets;
use crate::settings::Settings;

/// Runs a command that needs the store.
///
/// # Errors
/// In one sentence: why it was not done.
pub(crate) async fn run(
    command: Command,
    settings: &Settings,
    json: bool,
) -> anyhow::Result<ExitCode> {
    match command {
        Command::Doctor => return doctor::run(settings, json).await,
        Command::Migrate => return migrate(settings, json).await,
        _ => {}
    }
    let (brain, database) = assemble::brain(settings).await?;
    let operator = brain.operator();
    let code = match command {
        Command::Agent(command) => agent::run(&operator, command, json).await?,
        Command::User(command) => user::run(&operator, command, json).await?,
        Command::Audit(command) => audit::run(&operator, command, json).await?,
        Command::Serve(_)
        | Command::Migrate
        | Command::Doctor
        | Command::Version
        | Command::Openapi => {
            bail!("this command does not work on the store")
        }
    };
    database.close().await;
    Ok(code)
}

/// Applies what is missing. Secrets are looked for first: a database must not be made without them.
async fn migrate(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let choice = Choice::read(settings)?;
    assemble::make_folder(&settings.data_dir)?;
    secrets::load(settings, &choice).await?;
    let path = choice.migrate().await?;
    output::print(
        json,
        &json!({ "database": path, "schema": "current" }),
        || format!("{path} has this version's schema"),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the version.
///
/// # Errors
/// When standard output is gone.
pub(crate) fn version(json: bool) -> anyhow::Result<ExitCode> {
    let version = env!("CARGO_PKG_VERSION");
    output::print(
        json,
        &json!({ "name": "z4j", "version": version, "protocol": "2" }),
        || format!("z4j {version}"),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the OpenAPI document.
///
/// # Errors
/// When standard output is gone.
pub(crate) fn openapi() -> anyhow::Result<ExitCode> {
    print!("{}", z4j_brain::openapi_json()?);
    Ok(ExitCode::SUCCESS)
}
