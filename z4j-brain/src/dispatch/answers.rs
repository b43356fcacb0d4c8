//! Answers to commands, on their way to the store.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use z4j_core::id::AgentId;
use z4j_core::limits;
use z4j_core::store::StoreError;

use super::answer::Answered;
use crate::ops::chain;
use crate::shared::Shared;
use crate::upkeep::is_passing;

/// How long an answer waits for the store; then the command's deadline settles it.
const AGE_MAX: Duration = Duration::from_secs(600);
/// The wait after the first late try that failed; doubles up to [`WAIT_MAX`].
const WAIT: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Answers that the store did not take at once. A published agent gives an answer only once, and its link is read on meanwhile
/// and may end, so they wait here.
#[derive(Debug, Default)]
pub(super) struct Answers {
    late: Mutex<Late>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Late {
    waiting: VecDeque<Answered>,
    bytes: usize,
    bytes_of: BTreeMap<AgentId, usize>,
}

impl Late {
    /// Whether it was taken: there is room for all, and a part of it for each agent.
    fn push(&mut self, answered: &mut Option<Answered>) -> bool {
        let Some(new) = answered.as_ref() else {
            return true;
        };
        let of_agent = self.bytes_of.get(&new.agent.agent_id);
        let of_agent = of_agent.copied().unwrap_or(0) + new.bytes();
        let bytes = self.bytes + new.bytes();
        if bytes > limits::LATE_ANSWER_BYTES_MAX
            || of_agent > limits::LATE_ANSWER_BYTES_PER_AGENT_MAX
        {
            return false;
        }
        self.bytes = bytes;
        self.bytes_of.insert(new.agent.agent_id, of_agent);
        self.waiting.extend(answered.take());
        true
    }

    /// The one that has waited longest. Its room is not free before it is settled.
    fn pop(&mut self) -> Option<(Answered, Room)> {
        let answered = self.waiting.pop_front()?;
        let room = Room {
            agent: answered.agent.agent_id,
            bytes: answered.bytes(),
        };
        Some((answered, room))
    }

    fn free(&mut self, room: Room) {
        self.bytes -= room.bytes;
        if let Entry::Occupied(mut of_agent) = self.bytes_of.entry(room.agent) {
            *of_agent.get_mut() -= room.bytes;
            if *of_agent.get() == 0 {
                of_agent.remove();
            }
        }
    }
}

/// An answer that is being offered. Whoever breaks that off leaves it among those that wait.
struct Offer<'a> {
    answers: &'a Answers,
    answered: Option<Answered>,
    /// What it takes of the room for those that wait, if it has waited: it can always go back.
    room: Option<Room>,
}

/// Whose answer takes how many bytes.
#[derive(Clone, Copy, Debug)]
struct Room {
    agent: AgentId,
    bytes: usize,
}

impl Answers {
    /// Gives an answer to the store, now or later.
    pub(super) async fn take(&self, shared: &Shared, answered: Answered) {
        let mut offer = Offer {
            answers: self,
            answered: Some(answered),
            room: None,
        };
        offer.make(shared).await;
    }

    /// Offers what waits until `stop`, and then once more.
    pub(super) async fn run(&self, shared: &Shared, stop: &CancellationToken) {
        let mut wait = WAIT;
        while !stop.is_cancelled() {
            match self.offer_late(shared).await {
                Some(true) => wait = WAIT,
                Some(false) => {
                    unless(stop, tokio::time::sleep(wait)).await;
                    wait = (wait * 2).min(WAIT_MAX);
                }
                None => unless(stop, self.wake.notified()).await,
            }
        }
        let waiting = self.lock().waiting.len();
        for _ in 0..waiting {
            self.offer_late(shared).await;
        }
    }

    /// Offers the one that has waited longest: behind the others if it goes on waiting, since what holds it up may be its own.
    /// Whether the store has answered; `None` if nothing waits.
    async fn offer_late(&self, shared: &Shared) -> Option<bool> {
        let (answered, room) = self.lock().pop()?;
        let project = answered.agent.project_id;
        let mut offer = Offer {
            answers: self,
            answered: Some(answered),
            room: Some(room),
        };
        let is_answered = offer.make_late(shared).await;
        if is_answered {
            // If the first offer was carried out, what it changed was not told.
            shared.hub.doubts().of(project);
        }
        Some(is_answered)
    }

    fn push(&self, answered: Answered) {
        let mut answered = Some(answered);
        if self.lock().push(&mut answered) {
            self.wake.notify_one();
        } else if let Some(answered) = answered {
            tracing::error!(command = %answered.id, agent = %answered.agent.name, "an answer to a command is given up: too many wait for the store");
        }
    }

    fn put_back(&self, answered: Answered) {
        self.lock().waiting.push_back(answered);
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Late> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Offer<'_> {
    /// Offers the answer; false if it has to wait.
    async fn make(&mut self, shared: &Shared) -> bool {
        let Some(answered) = &self.answered else {
            return true;
        };
        let result = answered.advance(shared).await;
        self.settle(shared, result).await
    }

    /// As [`Self::make`], if the answer still counts.
    async fn make_late(&mut self, shared: &Shared) -> bool {
        let Some(answered) = &self.answered else {
            return true;
        };
        let age = shared.env.elapsed().saturating_sub(answered.since);
        if age > AGE_MAX {
            tracing::error!(command = %answered.id, agent = %answered.agent.name, seconds = age.as_secs(), "an answer to a command is given up: the store does not take it");
            self.answered = None;
            return true;
        }
        match is_void(shared, answered).await {
            Ok(false) => self.make(shared).await,
            Ok(true) => {
                self.answered = None;
                true
            }
            Err(error) => self.settle(shared, Err(error)).await,
        }
    }

    async fn settle(&mut self, shared: &Shared, result: Result<(), StoreError>) -> bool {
        let (Err(error), Some(answered)) = (result, &self.answered) else {
            self.answered = None;
            return true;
        };
        // What a sound store refuses, it refuses again.
        let waits = is_passing(error.kind()) || shared.store.probe(shared.env.now()).await.is_err();
        shared.metrics.store_fault(error.kind().as_str());
        tracing::warn!(command = %answered.id, agent = %answered.agent.name, error = %chain(&error), waits, "the store did not take an answer to a command");
        if !waits {
            shared.hub.doubts().of(answered.agent.project_id);
            self.answered = None;
        }
        !waits
    }
}

impl Drop for Offer<'_> {
    fn drop(&mut self) {
        match (self.answered.take(), self.room) {
            (Some(answered), None) => self.answers.push(answered),
            (Some(answered), Some(_)) => self.answers.put_back(answered),
            (None, Some(room)) => self.answers.lock().free(room),
            (None, None) => {}
        }
    }
}

/// Waits for something, or for `stop`.
async fn unless(stop: &CancellationToken, awaited: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = awaited => {}
    }
}

/// Whether the rights of the agent that answered are gone by now.
async fn is_void(shared: &Shared, answered: &Answered) -> Result<bool, StoreError> {
    let (project, agent) = (answered.agent.project_id, answered.agent.agent_id);
    let row = shared.store.agent(project, agent).await?;
    Ok(row.is_none_or(|row| row.revoked_at.is_some()))
}

#[cfg(test)]
mod tests {
    use z4j_core::id::{CommandId, LinkId, ProjectId};
    use z4j_core::store::AgentIdentity;
    use z4j_core::time::Timestamp;

    use super::*;
    use crate::dispatch::answer::Answer;

    fn answered(agent: u128) -> Answered {
        Answered {
            agent: AgentIdentity {
                agent_id: AgentId::from_u128(agent),
                project_id: ProjectId::from_u128(1),
                name: "agent".to_owned(),
            },
            link_id: LinkId::from_u128(1),
            id: CommandId::from_u128(1),
            answer: Answer::Ack,
            at: Timestamp::from_micros(0),
            since: Duration::ZERO,
        }
    }

    #[test]
    fn one_agent_leaves_room_for_the_answers_of_others() {
        let mut late = Late::default();
        let mut taken = 0;
        while late.push(&mut Some(answered(1))) {
            taken += 1;
        }
        let bytes = taken * answered(1).bytes();
        assert!(bytes <= limits::LATE_ANSWER_BYTES_PER_AGENT_MAX);
        assert!(bytes > limits::LATE_ANSWER_BYTES_PER_AGENT_MAX / 2);
        assert!(late.push(&mut Some(answered(2))));
        let (_, room) = late.pop().unwrap();
        assert!(!late.push(&mut Some(answered(1))), "the first may go back");
        late.free(room);
        assert!(late.push(&mut Some(answered(1))), "there is room again");
        while let Some((_, room)) = late.pop() {
            late.free(room);
        }
        assert_eq!((late.bytes, late.bytes_of.len()), (0, 0));
    }
}
