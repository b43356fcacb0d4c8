//! Puts a brain together from settings.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use z4j_brain::Brain;
use z4j_brain::access::PasswordSignIn;
use z4j_brain::config::BrainConfig;
use z4j_core::store::{StoreError, StoreErrorKind};
use z4j_store_sqlite::{SqliteConfig, SqliteStore};

use crate::dashboard::EmbeddedDashboard;
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
pub(crate) fn brain(settings: &Settings) -> anyhow::Result<(Brain, Arc<SqliteStore>)> {
    let path = settings.sqlite_path()?;
    make_folder(&settings.data_dir)?;
    let secrets = secrets::load(settings, &path)?;
    let store = Arc::new(store(&path)?);
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
    let brain = Brain::builder(
        Arc::clone(&store) as Arc<dyn z4j_core::store::Store>,
        secrets,
        PasswordSignIn::default(),
    )
    .with_config(config)
    .with_dashboard(EmbeddedDashboard)
    .build()?;
    Ok((brain, store))
}

fn make_folder(dir: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("the data folder {} cannot be made", dir.display()))
}

fn store(path: &Path) -> anyhow::Result<SqliteStore> {
    SqliteStore::open(SqliteConfig::new(path)).map_err(|fault| sentence(path, fault))
}

/// A fault of the store at start, in the operator's words.
fn sentence(path: &Path, fault: StoreError) -> anyhow::Error {
    let file = path.display();
    let words = match fault.kind() {
        StoreErrorKind::SchemaTooNew => {
            format!("the database {file} was written by a newer z4j: use that version or a backup")
        }
        StoreErrorKind::SchemaTooOld => {
            format!("the database {file} needs a schema step: run z4j migrate")
        }
        StoreErrorKind::ReadOnly => {
            format!("the database {file} cannot be written: check its owner and mode")
        }
        StoreErrorKind::Full => format!("there is no room left for the database {file}"),
        StoreErrorKind::Corrupt | StoreErrorKind::Damaged => {
            format!("{file} is not a z4j database, or it is damaged")
        }
        _ => format!("the database {file} cannot be opened"),
    };
    anyhow!(fault).context(words)
}
