//! `z4j serve`: the brain until a signal ends it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use z4j_brain::{Brain, OpError};
use z4j_core::env::Env;
use z4j_core::time::Timestamp;

use crate::assemble;
use crate::database::Choice;
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
    assemble::make_folder(&settings.data_dir)?;
    let _claim = Choice::read(settings)?.claim()?;
    let (brain, database) = assemble::brain(settings).await?;
    bootstrap(&brain, settings).await?;
    let base = base_url(settings, bound);
    let invited = invite(&brain, &base).await?;
    tracing::info!(address = %bound, data_dir = %settings.data_dir.display(), database = database.name(), "z4j serves");
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone())?);
    tokio::spawn(stop.clone().run_until_cancelled_owned(invite_again(
        brain.clone(),
        base,
        invited,
    )));
    z4j_brain::serve(listener, brain, stop).await?;
    database.close().await;
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

/// Where a browser finds this brain.
fn base_url(settings: &Settings, bound: SocketAddr) -> String {
    match &settings.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None if bound.ip().is_unspecified() => format!("http://localhost:{}", bound.port()),
        None => format!("http://{bound}"),
    }
}

/// Prints the one-time URL while there is no user, and answers until when it works. To standard error and not to the log,
/// which may be kept.
async fn invite(brain: &Brain, base: &str) -> Result<Option<Timestamp>, OpError> {
    let Some(invite) = brain.operator().setup_invite().await? else {
        return Ok(None);
    };
    let url = format!("{base}/setup?token={}", invite.token.expose_secret());
    let rule = "-".repeat(url.len() + 4);
    eprintln!(
        "{rule}\n  Open this once to make the first admin (valid until {}):\n  {url}\n{rule}",
        invite.expires_at
    );
    Ok(Some(invite.expires_at))
}

/// Prints another URL when one has lapsed, so that who comes late need not restart the brain.
async fn invite_again(brain: Brain, base: String, mut invited: Option<Timestamp>) {
    while let Some(expires_at) = invited {
        let left = expires_at.since(Env::system().now());
        tokio::time::sleep(left + Duration::from_secs(1)).await;
        invited = invite(&brain, &base).await.unwrap_or_else(|fault| {
            tracing::warn!(error = %fault, "no new setup URL could be made");
            Some(Env::system().now().plus(Duration::from_secs(60)))
        });
    }
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
