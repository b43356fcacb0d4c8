//! An agent that keeps what was not acknowledged and comes back as published agents do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Notify, watch};
use z4j_core::env::Env;

use crate::credentials::Credentials;
use crate::link::{Link, acked_index};

const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What all agents of a storm did so far.
#[derive(Debug, Default)]
pub(crate) struct Board {
    /// Agents that are connected.
    pub(crate) connected: AtomicUsize,
    /// Agents that came back after the kill.
    pub(crate) back: AtomicUsize,
    /// Frames that were acknowledged, each once.
    pub(crate) acked: AtomicU64,
    /// Frames that were sent more than once.
    pub(crate) sent_again: AtomicU64,
    /// Handshakes that failed.
    pub(crate) failed: AtomicU64,
    /// The brain was killed: who connects now is back.
    pub(crate) is_killed: AtomicBool,
    /// Something above changed.
    pub(crate) changed: Notify,
}

/// One agent.
#[derive(Debug)]
pub(crate) struct StormAgent {
    /// Its credentials.
    pub(crate) credentials: Credentials,
    /// Names its process.
    pub(crate) worker_id: String,
    /// Payloads of one event each, and when they are due after the start.
    pub(crate) frames: Vec<(Duration, String)>,
    /// What all do.
    pub(crate) board: Arc<Board>,
}

#[derive(Debug, Default)]
struct Progress {
    acked: Vec<bool>,
    /// Frames before this one were sent at least once.
    sent: usize,
    is_back: bool,
}

impl StormAgent {
    /// How many frames it has to send.
    pub(crate) const fn frame_count(&self) -> usize {
        self.frames.len()
    }

    /// Connects, sends, and comes back, until everything is acknowledged and beyond; ends when it is dropped.
    pub(crate) async fn run(self, mut start: watch::Receiver<Option<Instant>>) {
        let env = Env::system();
        let mut progress = Progress {
            acked: vec![false; self.frames.len()],
            ..Progress::default()
        };
        let mut wait = WAIT_FIRST;
        loop {
            match Link::connect(&self.credentials, &self.worker_id).await {
                Ok(link) => {
                    wait = WAIT_FIRST;
                    self.came(&mut progress);
                    // Whatever ends a session, the agent comes back.
                    let _ = self.session(link, &mut progress, &mut start).await;
                    self.board.connected.fetch_sub(1, Ordering::AcqRel);
                }
                Err(_) => {
                    self.board.failed.fetch_add(1, Ordering::AcqRel);
                }
            }
            tokio::time::sleep(wait + env.jitter(wait.mul_f64(0.3))).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    fn came(&self, progress: &mut Progress) {
        self.board.connected.fetch_add(1, Ordering::AcqRel);
        if !progress.is_back && self.board.is_killed.load(Ordering::Acquire) {
            progress.is_back = true;
            self.board.back.fetch_add(1, Ordering::AcqRel);
        }
        self.board.changed.notify_one();
    }

    async fn session(
        &self,
        mut link: Link,
        progress: &mut Progress,
        start: &mut watch::Receiver<Option<Instant>>,
    ) -> anyhow::Result<()> {
        link.beat().await?;
        let again = (0..progress.sent).filter(|index| !progress.acked[*index]);
        for index in again.collect::<Vec<_>>() {
            link.feed_batch(index, &self.frames[index].1).await?;
            self.board.sent_again.fetch_add(1, Ordering::AcqRel);
        }
        link.socket.flush().await?;
        let mut beat = tokio::time::interval(link.heartbeat);
        beat.tick().await;
        loop {
            let began = *start.borrow_and_update();
            let next = self.frames.get(progress.sent);
            let due = next.zip(began).map(|((due, _), began)| began + *due);
            tokio::select! {
                message = link.socket.next() => {
                    let message = message.context("the brain closed the link")??;
                    if let Some(index) = acked_index(&message)? {
                        self.acked(progress, index)?;
                    }
                }
                () = sleep_until(due), if due.is_some() => {
                    if let Some((_, payload)) = next {
                        let index = progress.sent;
                        progress.sent += 1;
                        link.feed_batch(index, payload).await?;
                        link.socket.flush().await?;
                    }
                }
                _ = beat.tick() => link.beat().await?,
                _ = start.changed(), if began.is_none() => {}
            }
        }
    }

    fn acked(&self, progress: &mut Progress, index: usize) -> anyhow::Result<()> {
        let acked = progress.acked.get_mut(index);
        let acked = acked.context("an ack for a frame that was not sent")?;
        if !std::mem::replace(acked, true) {
            self.board.acked.fetch_add(1, Ordering::AcqRel);
            self.board.changed.notify_one();
        }
        Ok(())
    }
}

async fn sleep_until(due: Option<Instant>) {
    if let Some(due) = due {
        tokio::time::sleep_until(due.into()).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::ceiling::{acknowledge, credentials_for};
    use crate::ingest::work;
    use crate::payload::lanes;

    #[tokio::test]
    async fn agents_come_back_to_a_server_that_was_gone_and_every_frame_is_acknowledged_once() {
        const AGENTS: usize = 5;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let std_listener = listener.into_std().unwrap();
        serving.spawn(async move { acknowledge(TcpListener::from_std(std_listener)?).await });
        let board = Arc::new(Board::default());
        let (start, started) = watch::channel(None);
        let mut running = JoinSet::new();
        for index in 0..AGENTS {
            let frames = lanes(1, 1, work(2)).into_iter().flatten();
            // One at once, the others after the server has gone.
            let due = |at: usize| Duration::from_millis(if at == 0 { 0 } else { 300 });
            let frames = frames.enumerate().map(|(at, frame)| (due(at), frame.json));
            let agent = StormAgent {
                credentials: credentials_for(&format!("http://{address}")),
                worker_id: format!("bench-{index}"),
                frames: frames.collect(),
                board: Arc::clone(&board),
            };
            running.spawn(agent.run(started.clone()));
        }
        let until = async |count: &dyn Fn() -> bool| {
            while !count() {
                board.changed.notified().await;
            }
        };
        until(&|| board.connected.load(Ordering::Acquire) == AGENTS).await;
        start.send_replace(Some(Instant::now()));
        until(&|| board.acked.load(Ordering::Acquire) >= AGENTS as u64).await;
        serving.shutdown_background();
        board.is_killed.store(true, Ordering::Release);
        let listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let again = tokio::spawn(acknowledge(listener));
        until(&|| board.back.load(Ordering::Acquire) == AGENTS).await;
        until(&|| board.acked.load(Ordering::Acquire) == AGENTS as u64 * 6).await;
        again.abort();
    }
}
