//! Puts a brain together from settings.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use z4j_brain::Brain;
use z4j_brain::access::PasswordSignIn;
use z4j_brain::config::BrainConfig;

use crate::dashboard::EmbeddedDashboard;
use crate::database::{Choice, Database};
use crate::secrets;
use crate::settings::Settings;

/// Blocking work is password hashing, which has a gate of its own, and file access at start.
const BLOCKING_THREADS_MAX: usize = 4;

/// The runtime of every command: a worker for each core, at most four.
///
/// # Errors
/// When the operating system gives no threads.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.clamp(1, 4))
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .context("the runtime cannot be started")
}

/// A brain on the settings' database, and the store beneath it.
///
/// # Errors
/// In one sentence: why it cannot be.
pub(crate) async fn brain(settings: &Settings) -> anyhow::Result<(Brain, Database)> {
    let choice = Choice::read(settings)?;
    make_folder(&settings.data_dir)?;
    let secrets = secrets::load(settings, &choice).await?;
    let database = choice.open().await?;
    let mut config = BrainConfig::default();
    config.server.public_url.clone_from(&settings.public_url);
    config
        .server
        .metrics_token
        .clone_from(&settings.metrics_token);
    if !settings.bind.ip().is_loopback() {
        let address = settings.bind.ip().to_string();
        config.server.allowed_hosts.push(address);
    }
    let brain = Brain::builder(database.store(), secrets, PasswordSignIn::default())
        .with_config(config)
        .with_dashboard(EmbeddedDashboard)
        .build()?;
    Ok((brain, database))
}

/// The data folder, which nobody else can read.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make_folder(dir: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("the data folder {} cannot be made", dir.display()))
}
