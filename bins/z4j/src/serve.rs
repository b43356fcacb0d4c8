//! `z4j serve`: the brain until a signal ends it.

use std::process::ExitCode;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use z4j_brain::{Brain, OpError};

use crate::assemble;
use crate::settings::Settings;

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// In one sentence: why it cannot start.
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(settings.bind)
        .await
        .with_context(|| format!("the address {} cannot be listened on", settings.bind))?;
    let bound = listener.local_addr()?;
    let (brain, store) = assemble::brain(settings)?;
    bootstrap(&brain, settings).await?;
    let base = settings
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{bound}"));
    invite(&brain, base.trim_end_matches('/')).await?;
    tracing::info!(address = %bound, data_dir = %settings.data_dir.display(), "z4j serves");
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone())?);
    z4j_brain::serve(listener, brain, stop).await?;
    store.close().await;
    tracing::info!("z4j has stopped");
    Ok(ExitCode::SUCCESS)
}

/// Makes the first admin when the environment names one and there is nobody yet.
async fn bootstrap(brain: &Brain, settings: &Settings) -> anyhow::Result<()> {
    let (Some(email), Some(password)) = (
        &settings.bootstrap_admin_email,
        &settings.bootstrap_admin_password,
    ) else {
        return Ok(());
    };
    let made = brain
        .operator()
        .bootstrap_admin(email, password)
        .await
        .context("the first admin cannot be made")?;
    if made {
        tracing::info!(email, "the first admin and the project default were made");
    }
    Ok(())
}

/// Prints the one-time URL while there is no user. To standard error and not to the log, which may be kept.
async fn invite(brain: &Brain, base: &str) -> Result<(), OpError> {
    let Some(invite) = brain.operator().setup_invite().await? else {
        return Ok(());
    };
    let url = format!("{base}/setup?token={}", invite.token.expose_secret());
    let rule = "-".repeat(url.len() + 4);
    eprintln!(
        "{rule}\n  Open this once to make the first admin (valid until {}):\n  {url}\n{rule}",
        invite.expires_at
    );
    Ok(())
}

fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be caught")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
    })
}
