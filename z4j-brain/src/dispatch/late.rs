//! Answers to commands that the store did not take at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use z4j_core::id::CommandId;
use z4j_core::limits;

use super::answer::Answer;
use crate::link::LinkHandle;
use crate::shared::Shared;

/// How long an answer waits for the store; then the command's deadline settles it.
const AGE_MAX: Duration = Duration::from_secs(600);
/// The wait after the first try that failed; doubles up to [`WAIT_MAX`].
const WAIT: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(2);
/// What an answer takes beside its texts.
const ANSWER_BYTES: usize = 256;

/// An answer that the store did not take.
#[derive(Debug)]
pub(super) struct LateAnswer {
    /// Where it came from. It counts although that has ended, unless its rights were taken away.
    pub(super) link: Arc<LinkHandle>,
    /// The command.
    pub(super) id: CommandId,
    /// What was said of it.
    pub(super) answer: Answer,
    /// When, by the clock that never goes back.
    pub(super) since: Duration,
}

impl LateAnswer {
    fn bytes(&self) -> usize {
        ANSWER_BYTES + self.answer.bytes()
    }
}

/// Answers to commands that the store did not take at once. A published agent gives an answer only once, and its link is read on
/// meanwhile, so they wait here.
#[derive(Debug, Default)]
pub(super) struct LateAnswers {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    answers: VecDeque<LateAnswer>,
    bytes: usize,
}

impl LateAnswers {
    /// Keeps an answer; false if there is no room for it.
    pub(super) fn push(&self, late: LateAnswer) -> bool {
        let mut waiting = self.lock();
        let bytes = waiting.bytes + late.bytes();
        if bytes > limits::LATE_ANSWER_BYTES_MAX {
            return false;
        }
        waiting.bytes = bytes;
        waiting.answers.push_back(late);
        drop(waiting);
        self.wake.notify_one();
        true
    }

    /// Offers what waits to the store until `stop`, and then once more.
    pub(super) async fn run(&self, shared: &Shared, stop: &CancellationToken) {
        let mut wait = WAIT;
        while !stop.is_cancelled() {
            let Some(late) = self.pop() else {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = self.wake.notified() => {}
                }
                continue;
            };
            if self.offer(shared, late).await {
                wait = WAIT;
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(WAIT_MAX);
        }
        for _ in 0..self.len() {
            if let Some(late) = self.pop() {
                self.offer(shared, late).await;
            }
        }
    }

    /// Offers one answer; false if it waits on.
    async fn offer(&self, shared: &Shared, late: LateAnswer) -> bool {
        let age = shared.env.elapsed().saturating_sub(late.since);
        if late.link.is_revoked() {
            return true;
        }
        if age > AGE_MAX {
            tracing::error!(command = %late.id, agent = %late.link.agent.name, seconds = age.as_secs(), "an answer to a command is given up: the store does not take it");
            return true;
        }
        match shared.dispatcher.offer(shared, late).await {
            None => true,
            // Behind the others: what holds this one up may be its own.
            Some(late) => {
                self.push(late);
                false
            }
        }
    }

    fn pop(&self) -> Option<LateAnswer> {
        let mut waiting = self.lock();
        let late = waiting.answers.pop_front()?;
        waiting.bytes -= late.bytes();
        Some(late)
    }

    fn len(&self) -> usize {
        self.lock().answers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
