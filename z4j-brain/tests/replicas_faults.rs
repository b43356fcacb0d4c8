//! Two brains on one store when things go wrong: lost announcements, killed and paused brains, wrong clocks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;
mod pair;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{WAIT, eventually, works};
use futures_core::stream::BoxStream;
use pair::{Live, Pair, RETRY, connect, options, status_of, tells_task, wrong_clock};
use serde_json::json;
use z4j_core::store::{
    Announcement, BeatOutcome, Coordination, FleetStore, ForgetOutcome, ForgetReplica, Heard,
    LeaseGrant, LeaseOutcome, LeaseRequest, ReplicaBeat, StoreError, StoreErrorKind, StoreHealth,
    StoreParts, Topic,
};
use z4j_core::time::Timestamp;
use z4j_core::wire::CloseCode;
use z4j_testkit::fake_agent::{FakeAgent, FakeTask};
use z4j_testkit::mem::MemStore;

const CANCEL: &str = "/projects/default/commands/cancel-task";

/// What two brains share, with a wire between them that can be cut and a note of every lease.
#[derive(Clone, Debug)]
struct Wire {
    store: Arc<MemStore>,
    loses_announcements: Arc<AtomicBool>,
    has_hints: bool,
    grants: Arc<Mutex<Vec<LeaseGrant>>>,
}

impl Wire {
    fn new() -> Self {
        Self {
            store: Arc::new(MemStore::new()),
            loses_announcements: Arc::default(),
            has_hints: true,
            grants: Arc::default(),
        }
    }

    async fn pair(&self) -> Pair {
        let store = StoreParts::of(&self.store).with_coordination(Arc::new(self.clone()));
        Pair::on(Arc::new(store), options(), options()).await
    }

    fn last_grant(&self) -> Option<LeaseGrant> {
        self.grants.lock().unwrap().last().cloned()
    }
}

#[async_trait]
impl Coordination for Wire {
    async fn beat(&self, beat: ReplicaBeat) -> Result<BeatOutcome, StoreError> {
        self.store.beat(beat).await
    }

    async fn forget_replica(&self, forget: ForgetReplica) -> Result<ForgetOutcome, StoreError> {
        self.store.forget_replica(forget).await
    }

    async fn try_lease(&self, request: LeaseRequest) -> Result<LeaseOutcome, StoreError> {
        let outcome = self.store.try_lease(request).await?;
        if let LeaseOutcome::Held(grant) = &outcome {
            self.grants.lock().unwrap().push(grant.clone());
        }
        Ok(outcome)
    }

    async fn maintain(
        &self,
        grant: &LeaseGrant,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.store.maintain(grant, now).await
    }

    async fn announce(&self, announcement: Announcement) -> Result<(), StoreError> {
        if self.loses_announcements.load(Ordering::Acquire) {
            return Ok(());
        }
        self.store.announce(announcement).await
    }

    fn announcements(&self) -> BoxStream<'static, Heard> {
        self.store.announcements()
    }

    fn wakeups(&self, topic: Topic) -> BoxStream<'static, ()> {
        if self.has_hints {
            self.store.wakeups(topic)
        } else {
            Box::pin(futures_util::stream::pending())
        }
    }

    async fn probe(&self, now: Timestamp) -> Result<StoreHealth, StoreError> {
        self.store.probe(now).await
    }
}

fn about(task_id: &str) -> serde_json::Value {
    json!({"engine": "celery", "task_id": task_id})
}

async fn failed_task(agent: &mut FakeAgent, task_id: &str) {
    let task = FakeTask::new("celery", task_id, "shop.charge");
    let batch = agent.send_events(&task.fails()).await.unwrap();
    agent.wait_ack(&batch, WAIT).await.unwrap();
}

/// Stores tasks by the one and reads at the other until changes are told and not only that there are some.
async fn until_told(agent: &mut FakeAgent, live: &mut Live) {
    let mut round = 0;
    let told = async {
        loop {
            round += 1;
            let task = format!("first-{round}");
            works(agent, &task).await;
            let said = live
                .until(|said| said.event == "reset" || tells_task(said, &task))
                .await;
            if said.iter().any(|said| tells_task(said, &task)) {
                return;
            }
        }
    };
    tokio::time::timeout(WAIT, told)
        .await
        .expect("a change that the other brain stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_that_is_lost_becomes_a_reset() {
    let wire = Wire::new();
    let pair = wire.pair().await;
    let rest = pair.one.sign_in().await.unwrap();
    let mut live = Live::open(&rest).await;
    let credentials = pair.two.mint("worker").await.unwrap();
    let mut agent = connect(&pair.two, &credentials).await;
    until_told(&mut agent, &mut live).await;
    // Whatever is said from here on, nobody hears: only beats tell that there was something.
    wire.loses_announcements.store(true, Ordering::Release);
    works(&mut agent, "lost").await;
    let said = live.until(|said| said.event == "reset").await;
    assert!(
        !said.iter().any(|said| tells_task(said, "lost")),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_found_by_the_poll_when_every_hint_is_lost() {
    let wire = Wire {
        has_hints: false,
        ..Wire::new()
    };
    let pair = wire.pair().await;
    let credentials = pair.one.mint("worker").await.unwrap();
    let mut agent = connect(&pair.two, &credentials).await;
    failed_task(&mut agent, "t1").await;
    let rest = pair.one.sign_in().await.unwrap();
    let issued = rest.post(RETRY, &about("t1")).await.unwrap();
    assert_eq!(issued.status, 202, "{}", issued.body);
    let command = agent.wait_command(Duration::from_secs(5)).await.unwrap();
    assert_eq!(command.id, issued.body["id"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_is_out_everywhere_though_every_hint_is_lost() {
    let wire = Wire {
        has_hints: false,
        ..Wire::new()
    };
    let pair = wire.pair().await;
    let credentials = pair.one.mint("worker").await.unwrap();
    let mut agent = connect(&pair.two, &credentials).await;
    let rest = pair.one.sign_in().await.unwrap();
    let elsewhere = rest.at(pair.two.url());
    let mut live = Live::open(&elsewhere).await;
    let path = format!("/projects/default/agents/{}", credentials.agent_id);
    assert_eq!(rest.delete(&path).await.unwrap().status, 204);
    let code = agent.wait_close(Duration::from_secs(3)).await.unwrap();
    assert_eq!(code, Some(CloseCode::Revoked.code()));
    let out = rest.post("/auth/logout", &json!({})).await.unwrap();
    assert_eq!(out.status, 204);
    tokio::time::timeout(Duration::from_secs(3), live.end())
        .await
        .expect("the stream of the ended session ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_brain_is_buried_and_what_it_held_is_settled_or_goes_elsewhere() {
    let pair = Wire::new().pair().await;
    let credentials = pair.one.mint("worker").await.unwrap();
    let mut agent = connect(&pair.two, &credentials).await;
    failed_task(&mut agent, "failed").await;
    let running = FakeTask::new("celery", "running", "shop.charge");
    let batch = agent
        .send_events(&[running.received(), running.started(0)])
        .await
        .unwrap();
    agent.wait_ack(&batch, WAIT).await.unwrap();
    let rest = pair.one.sign_in().await.unwrap();
    let mut live = Live::open(&rest).await;
    let mut ids = Vec::new();
    for (path, task) in [(RETRY, "failed"), (CANCEL, "running")] {
        let issued = rest.post(path, &about(task)).await.unwrap();
        assert_eq!(issued.status, 202, "{}", issued.body);
        let command = agent.wait_command(WAIT).await.unwrap();
        ids.push(command.id);
    }
    pair.two.kill();
    drop(agent);
    eventually("what must not go twice is unknown", || async {
        let shown = status_of(&rest, &ids[0]).await;
        (shown["status"] == "unknown").then_some(())
    })
    .await;
    assert_eq!(status_of(&rest, &ids[1]).await["status"], "pending");
    let row = pair
        .store
        .agent(pair.one.project(), credentials.agent_id)
        .await;
    assert!(
        row.unwrap().unwrap().links.is_empty(),
        "the dead hold no links"
    );
    live.until(|said| said.event == "reset").await;

    let mut agent = connect(&pair.one, &credentials).await;
    let again = agent.wait_command(WAIT).await.unwrap();
    assert_eq!((&again.id, again.action.as_str()), (&ids[1], "cancel_task"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brain_that_slept_finds_its_lease_and_links_gone_and_goes_on() {
    let wire = Wire::new();
    let pair = wire.pair().await;
    let credentials = pair.one.mint("worker").await.unwrap();
    let mut agent = connect(&pair.one, &credentials).await;
    works(&mut agent, "t1").await;
    let old = eventually("a lease", || async { wire.last_grant() }).await;

    let pause = pair.one.pause().await.unwrap();
    let new = eventually("another holder", || async {
        wire.last_grant().filter(|grant| grant.holder != old.holder)
    })
    .await;
    assert!(new.fence > old.fence);
    let row = pair
        .store
        .agent(pair.two.project(), credentials.agent_id)
        .await;
    assert!(row.unwrap().unwrap().links.is_empty());
    let silent_after = Duration::from_secs(60);
    let stale = wire
        .store
        .sweep_workers(&old, Timestamp::LATEST, silent_after)
        .await;
    assert_eq!(stale.unwrap_err().kind(), StoreErrorKind::Fenced);

    drop(pause);
    let code = agent.wait_close(WAIT).await.unwrap();
    assert_eq!(
        code,
        Some(CloseCode::GoingAway.code()),
        "its link is worth nothing any more"
    );
    let mut agent = connect(&pair.one, &credentials).await;
    failed_task(&mut agent, "t2").await;
    let rest = pair.two.sign_in().await.unwrap();
    let issued = rest.post(RETRY, &about("t2")).await.unwrap();
    assert_eq!(issued.status, 202, "{}", issued.body);
    let command = agent.wait_command(WAIT).await.unwrap();
    assert_eq!(command.id, issued.body["id"].as_str().unwrap());
    let grants = wire.grants.lock().unwrap().clone();
    assert!(
        grants.windows(2).all(|two| two[0].fence <= two[1].fence),
        "nobody holds what another one took since"
    );
}

async fn deadlines_hold(first_s: i64, second_s: i64) {
    let quick = |seconds| {
        options()
            .with_env(wrong_clock(seconds))
            .with_config(|config| config.agents.command_timeout = Duration::from_secs(6))
    };
    let store = Arc::new(MemStore::new());
    let pair = Pair::on(store, quick(first_s), quick(second_s)).await;
    let credentials = pair.one.mint("worker").await.unwrap();
    let mut agent = connect(&pair.one, &credentials).await;
    failed_task(&mut agent, "t1").await;
    for issuer in [&pair.one, &pair.two] {
        let rest = issuer.sign_in().await.unwrap();
        let issued = rest.post(RETRY, &about("t1")).await.unwrap();
        assert_eq!(issued.status, 202, "{}", issued.body);
        let command = agent.wait_command(WAIT).await.unwrap();
        // Long enough for both brains to look for overdue commands, and short of the deadline.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let shown = status_of(&rest, &command.id).await;
        assert_eq!(
            shown["status"], "dispatched",
            "nobody's clock ends it early"
        );
        eventually("its deadline settles it", || async {
            let shown = status_of(&rest, &command.id).await;
            (shown["status"] == "unknown").then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_hold_though_the_other_brains_clock_is_an_hour_ahead() {
    deadlines_hold(0, 3_600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_once_and_lost_rights_count_though_clocks_differ_by_an_hour() {
    let store = Arc::new(MemStore::new());
    let ahead = options().with_env(wrong_clock(3_600));
    let pair = Pair::on(store, options(), ahead).await;
    let credentials = pair.one.mint("worker").await.unwrap();
    let mut agent = connect(&pair.one, &credentials).await;
    let rest = pair.two.sign_in().await.unwrap();
    let mut live = Live::open(&rest).await;
    until_told(&mut agent, &mut live).await;
    let path = format!("/projects/default/agents/{}", credentials.agent_id);
    assert_eq!(rest.delete(&path).await.unwrap().status, 204);
    let code = agent.wait_close(WAIT).await.unwrap();
    assert_eq!(code, Some(CloseCode::Revoked.code()));
}
