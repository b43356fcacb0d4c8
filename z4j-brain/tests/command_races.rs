//! Commands while something else happens between two of their steps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::commands::{CANCEL, RETRY, about, failed_task, id_of, running_task, settled};
use common::{QUIET, WAIT, agent, sqlite};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Notify;
use z4j_core::command::CommandState;
use z4j_core::store::{StoreError, StoreErrorKind};
use z4j_testkit::fake_agent::FakeAgent;
use z4j_testkit::fixture::TestBrain;
use z4j_testkit::sim::{HookedStore, StoreHooks};

/// More than a late answer ever waits for its next try.
const LATE: Duration = Duration::from_secs(3);

/// Holds the first answer of a method back, although it was carried out, until a test lets it go.
#[derive(Clone, Debug)]
struct SlowAnswer {
    method: &'static str,
    is_held: Arc<AtomicBool>,
    is_written: Arc<Notify>,
    may_go: Arc<Notify>,
}

impl SlowAnswer {
    fn of(method: &'static str) -> Self {
        Self {
            method,
            is_held: Arc::default(),
            is_written: Arc::default(),
            may_go: Arc::default(),
        }
    }

    /// A brain whose store answers so. The directory goes with the first value.
    async fn brain(&self) -> (TempDir, TestBrain) {
        let (directory, store) = sqlite();
        let store = Arc::new(HookedStore::new(store, self.clone()));
        (directory, TestBrain::start(store).await.unwrap())
    }
}

#[async_trait]
impl StoreHooks for SlowAnswer {
    async fn after(&self, method: &'static str, _: bool) -> Result<(), StoreError> {
        if method == self.method && !self.is_held.swap(true, Ordering::AcqRel) {
            self.is_written.notify_one();
            self.may_go.notified().await;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_written_is_sent_although_the_person_has_left() {
    let slow = SlowAnswer::of("issue_command");
    let (_directory, brain) = slow.brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    failed_task(&mut agent, "old").await;
    let rest = brain.sign_in().await.unwrap();
    let asking = tokio::spawn(async move { rest.post(RETRY, &about("old")).await });
    slow.is_written.notified().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    // The brain learns that the connection ended.
    tokio::time::sleep(QUIET).await;
    slow.may_go.notify_one();
    let command = agent.wait_command(WAIT).await.unwrap();
    assert_eq!(command.action, "retry_task");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_whose_link_ends_as_it_is_claimed_waits_for_the_next_one() {
    let slow = SlowAnswer::of("claim_commands");
    let (_directory, brain) = slow.brain().await;
    let (credentials, mut first) = agent(&brain, "worker").await;
    running_task(&mut first, "slow").await;
    first.close().await;
    let rest = brain.sign_in().await.unwrap();
    let mut cancel = about("slow");
    cancel["when"] = "next_connect".into();
    let id = id_of(&rest.post(CANCEL, &cancel).await.unwrap());
    let config = brain.config_of(&credentials).unwrap();
    let second = FakeAgent::connect(config.clone()).await.unwrap();
    slow.is_written.notified().await;
    second.close().await;
    settled(&rest, &id, "pending").await;
    slow.may_go.notify_one();
    let mut third = FakeAgent::connect(config).await.unwrap();
    let command = third.wait_command(WAIT).await.unwrap();
    assert_eq!(command.id, id);
    third.ack_command(&command).await.unwrap();
    settled(&rest, &id, "acknowledged").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_requests_at_once_with_one_key_the_second_is_told_that_it_is_taken() {
    let slow = SlowAnswer::of("command");
    let (_directory, brain) = slow.brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    failed_task(&mut agent, "one").await;
    failed_task(&mut agent, "two").await;
    let rest = brain.sign_in().await.unwrap();
    let with_key = |task_id| {
        let mut body = about(task_id);
        body["idempotency_key"] = "k".into();
        body
    };
    // It has looked for the key and found nothing.
    let early = tokio::spawn({
        let (rest, body) = (rest.clone(), with_key("one"));
        async move { rest.post(RETRY, &body).await }
    });
    slow.is_written.notified().await;
    let id = id_of(&rest.post(RETRY, &with_key("two")).await.unwrap());
    slow.may_go.notify_one();
    let refused = early.await.unwrap().unwrap();
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert_eq!(agent.wait_command(WAIT).await.unwrap().id, id);
    let more = agent.recv(QUIET).await;
    assert!(more.is_err(), "{more:?}");
}

/// What becomes of calls of one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    Sound,
    /// It is refused.
    Deaf,
    /// The next one is refused.
    DeafOnce,
    /// The next one is never answered.
    Hangs,
}

/// A store that does not hear one method while it is told so.
#[derive(Clone, Debug)]
struct HardOfHearing {
    method: &'static str,
    hearing: Arc<Mutex<Hearing>>,
    asked: Arc<Notify>,
}

impl HardOfHearing {
    fn of(method: &'static str) -> Self {
        Self {
            method,
            hearing: Arc::new(Mutex::new(Hearing::Sound)),
            asked: Arc::default(),
        }
    }

    fn becomes(&self, hearing: Hearing) -> Hearing {
        std::mem::replace(&mut *self.hearing.lock().unwrap(), hearing)
    }

    /// A brain with such a store. The directory goes with the first value.
    async fn brain(&self) -> (TempDir, TestBrain) {
        let (directory, store) = sqlite();
        let store = Arc::new(HookedStore::new(store, self.clone()));
        (directory, TestBrain::start(store).await.unwrap())
    }
}

#[async_trait]
impl StoreHooks for HardOfHearing {
    async fn before(&self, method: &'static str, _: bool) -> Result<(), StoreError> {
        if method != self.method {
            return Ok(());
        }
        let hearing = *self.hearing.lock().unwrap();
        match hearing {
            Hearing::Sound => return Ok(()),
            Hearing::Deaf => self.asked.notify_one(),
            Hearing::DeafOnce => {
                self.becomes(Hearing::Sound);
            }
            Hearing::Hangs => {
                self.becomes(Hearing::Sound);
                self.asked.notify_one();
                std::future::pending::<()>().await;
            }
        }
        Err(StoreError::new(StoreErrorKind::Unavailable, method))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_waits_for_the_store_although_its_link_has_ended() {
    let store = HardOfHearing::of("advance_command");
    let (_directory, brain) = store.brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    failed_task(&mut agent, "old").await;
    let rest = brain.sign_in().await.unwrap();
    let id = id_of(&rest.post(RETRY, &about("old")).await.unwrap());
    let command = agent.wait_command(WAIT).await.unwrap();
    store.becomes(Hearing::Deaf);
    let done = json!({"new_task_id": "new"});
    agent.succeed_command(&command, &done).await.unwrap();
    store.asked.notified().await;
    agent.close().await;
    // Whatever was sent once may have happened: nobody knows, as long as the answer is in one brain's memory only.
    settled(&rest, &id, "unknown").await;
    store.asked.notified().await;
    store.becomes(Hearing::Sound);
    settled(&rest, &id, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_store_is_being_told_outlives_its_link() {
    let store = HardOfHearing::of("advance_command");
    let (_directory, brain) = store.brain().await;
    let (credentials, mut agent) = agent(&brain, "worker").await;
    failed_task(&mut agent, "old").await;
    let rest = brain.sign_in().await.unwrap();
    let id = id_of(&rest.post(RETRY, &about("old")).await.unwrap());
    let command = agent.wait_command(WAIT).await.unwrap();
    store.becomes(Hearing::Hangs);
    let done = json!({"new_task_id": "new"});
    agent.succeed_command(&command, &done).await.unwrap();
    store.asked.notified().await;
    // It takes the place of the link that waits for the store.
    let config = brain.config_of(&credentials).unwrap();
    let _next = FakeAgent::connect(config).await.unwrap();
    settled(&rest, &id, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_failure_does_not_speak_for_the_second_try() {
    let store = HardOfHearing::of("advance_command");
    let (_directory, brain) = store.brain().await;
    let (credentials, mut first) = agent(&brain, "worker").await;
    running_task(&mut first, "slow").await;
    let rest = brain.sign_in().await.unwrap();
    let id = id_of(&rest.post(CANCEL, &about("slow")).await.unwrap());
    let command = first.wait_command(WAIT).await.unwrap();
    store.becomes(Hearing::Deaf);
    first.fail_command(&command, "no broker").await.unwrap();
    store.asked.notified().await;
    first.close().await;
    settled(&rest, &id, "pending").await;
    let config = brain.config_of(&credentials).unwrap();
    let mut second = FakeAgent::connect(config).await.unwrap();
    let again = second.wait_command(WAIT).await.unwrap();
    assert_eq!(again.id, id);
    store.becomes(Hearing::Sound);
    // Longer than between two tries of a late answer.
    tokio::time::sleep(LATE).await;
    second.succeed_command(&again, &json!({})).await.unwrap();
    settled(&rest, &id, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_link_had_is_taken_back_as_soon_as_the_store_can() {
    let store = HardOfHearing::of("lose_link");
    let (_directory, brain) = store.brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    running_task(&mut agent, "slow").await;
    let rest = brain.sign_in().await.unwrap();
    let mut cancel = about("slow");
    cancel["when"] = "next_connect".into();
    let id = id_of(&rest.post(CANCEL, &cancel).await.unwrap());
    agent.wait_command(WAIT).await.unwrap();
    store.becomes(Hearing::Deaf);
    agent.close().await;
    store.asked.notified().await;
    settled(&rest, &id, "dispatched").await;
    store.becomes(Hearing::Sound);
    settled(&rest, &id, "pending").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_stops_takes_back_what_its_links_had_although_the_store_failed_once() {
    let store = HardOfHearing::of("lose_link");
    let (_directory, brain) = store.brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    running_task(&mut agent, "slow").await;
    let rest = brain.sign_in().await.unwrap();
    let mut cancel = about("slow");
    cancel["when"] = "next_connect".into();
    let id = id_of(&rest.post(CANCEL, &cancel).await.unwrap());
    agent.wait_command(WAIT).await.unwrap();
    let (inside, project) = (Arc::clone(brain.store()), brain.project());
    store.becomes(Hearing::DeafOnce);
    brain.stop().await.unwrap();
    assert_eq!(
        store.becomes(Hearing::Sound),
        Hearing::Sound,
        "it was asked"
    );
    let command = inside.command(project, id.parse().unwrap()).await.unwrap();
    assert_eq!(command.unwrap().state, CommandState::Pending);
}

/// Carries the first claim out late, when the link that it is for has been lost, and loses its answer.
#[derive(Clone, Debug, Default)]
struct LostClaim {
    has_begun: Arc<AtomicBool>,
    has_failed: Arc<AtomicBool>,
    begins: Arc<Notify>,
    link_lost: Arc<Notify>,
}

#[async_trait]
impl StoreHooks for LostClaim {
    async fn before(&self, method: &'static str, _: bool) -> Result<(), StoreError> {
        if method == "claim_commands" && !self.has_begun.swap(true, Ordering::AcqRel) {
            self.begins.notify_one();
            self.link_lost.notified().await;
        }
        Ok(())
    }

    async fn after(&self, method: &'static str, _: bool) -> Result<(), StoreError> {
        match method {
            "lose_link" => self.link_lost.notify_one(),
            "claim_commands" if !self.has_failed.swap(true, Ordering::AcqRel) => {
                return Err(StoreError::new(StoreErrorKind::Unavailable, method));
            }
            _ => {}
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_whose_claim_was_answered_to_nobody_waits_for_the_next_link() {
    let lost = LostClaim::default();
    let (_directory, store) = sqlite();
    let store = Arc::new(HookedStore::new(store, lost.clone()));
    let brain = TestBrain::start(store).await.unwrap();
    let (credentials, mut first) = agent(&brain, "worker").await;
    running_task(&mut first, "slow").await;
    first.close().await;
    let rest = brain.sign_in().await.unwrap();
    let mut cancel = about("slow");
    cancel["when"] = "next_connect".into();
    let id = id_of(&rest.post(CANCEL, &cancel).await.unwrap());
    let config = brain.config_of(&credentials).unwrap();
    let second = FakeAgent::connect(config.clone()).await.unwrap();
    lost.begins.notified().await;
    second.close().await;
    let mut third = FakeAgent::connect(config).await.unwrap();
    assert_eq!(third.wait_command(WAIT).await.unwrap().id, id);
}
