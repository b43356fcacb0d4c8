//! Starts the parts of a brain, and stops them in order (`reliability.md` D16).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use z4j_core::wire::CloseCode;

use super::{duties, people, probe, revocation};
use crate::ops::chain;
use crate::replicas;
use crate::shared::Shared;

// All of a stop takes less than ten seconds (`reliability.md` D16), also when nobody answers: drain, flush, close, flush, flush.
/// How long committing what was read may take when the brain stops.
const DRAIN_WAIT: Duration = Duration::from_millis(3_500);
/// How long links may take to hear that the brain stops.
const CLOSE_WAIT: Duration = Duration::from_secs(3);
/// How long the last words to the store may take.
const FLUSH_WAIT: Duration = Duration::from_secs(1);
/// How often gathered reports are written.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Works until `stop`, then stops in order. `Err` names a part that ended by itself.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) -> Result<(), String> {
    if !replicas::register(&shared, &stop).await {
        return Ok(());
    }
    let halt = CancellationToken::new();
    let mut parts = JoinSet::new();
    start_parts(&mut parts, &shared, &halt);
    let committer = Arc::clone(&shared);
    let mut commits = JoinSet::new();
    commits.spawn(async move { committer.committer.run(&committer).await });
    shared.health.start();
    shared.links.open();
    tracing::info!(replica = %shared.replicas.own(), others = shared.replicas.others(), "the brain runs");
    let ended_early = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        ended = parts.join_next() => Some(ended),
        ended = commits.join_next() => Some(ended),
    };
    shut_down(&shared, &halt, &mut commits, &mut parts).await;
    match ended_early {
        None => Ok(()),
        Some(Some(Err(error))) => Err(format!("a part of the brain failed: {error}")),
        Some(_) => Err("a part of the brain ended by itself".to_owned()),
    }
}

fn start_parts(parts: &mut JoinSet<()>, shared: &Arc<Shared>, halt: &CancellationToken) {
    let halt = || halt.clone();
    part(parts, shared, halt(), |shared, halt| async move {
        shared.dispatcher.run(&shared, &halt).await
    });
    part(parts, shared, halt(), |shared, halt| async move {
        shared.dispatcher.run_late(&shared, &halt).await
    });
    part(parts, shared, halt(), |shared, halt| async move {
        report(&shared, &halt).await
    });
    part(parts, shared, halt(), |shared, halt| async move {
        duties::run(&shared, &halt).await
    });
    part(parts, shared, halt(), |shared, halt| async move {
        probe::run(&shared, &halt).await
    });
    part(parts, shared, halt(), |shared, halt| async move {
        revocation::run(&shared, &halt).await
    });
    part(parts, shared, halt(), |shared, halt| async move {
        people::run(&shared, &halt).await
    });
    part(parts, shared, halt(), |shared, halt| async move {
        replicas::run(&shared, &halt).await
    });
}

fn part<F>(
    parts: &mut JoinSet<()>,
    shared: &Arc<Shared>,
    halt: CancellationToken,
    work: impl FnOnce(Arc<Shared>, CancellationToken) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    parts.spawn(work(Arc::clone(shared), halt));
}

async fn report(shared: &Shared, halt: &CancellationToken) {
    while !halt.is_cancelled() {
        tokio::select! {
            biased;
            () = tokio::time::sleep(REPORT_INTERVAL) => {}
            () = halt.cancelled() => {}
        }
        shared.reports.flush(shared).await;
        shared.metrics.tidy();
    }
}

async fn shut_down(
    shared: &Shared,
    halt: &CancellationToken,
    commits: &mut JoinSet<()>,
    parts: &mut JoinSet<()>,
) {
    shared.stopping.cancel();
    shared.health.stop();
    shared.links.shut();
    shared.committer.close();
    let drained = tokio::time::timeout(DRAIN_WAIT, finish(commits)).await;
    if drained.is_err() {
        tracing::warn!(
            "the store is too slow: what is not committed is not acknowledged and will be sent again"
        );
        shared.committer.abandon();
        let _ = tokio::time::timeout(FLUSH_WAIT, finish(commits)).await;
    }
    if tokio::time::timeout(CLOSE_WAIT, shared.links.close_all(CloseCode::GoingAway))
        .await
        .is_err()
    {
        tracing::warn!("some links did not close in time");
    }
    halt.cancel();
    if tokio::time::timeout(FLUSH_WAIT, finish(parts))
        .await
        .is_err()
    {
        parts.abort_all();
    }
    let _ = tokio::time::timeout(FLUSH_WAIT, replicas::leave(shared)).await;
    tracing::info!("the brain has stopped");
}

async fn finish(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(error = %chain(&error), "a part of the brain failed");
        }
    }
}
