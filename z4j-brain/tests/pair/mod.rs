//! Two brains on one store.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

use std::sync::Arc;
use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tempfile::TempDir;
use z4j_brain::AgentCredentials;
use z4j_core::env::{Clock, Env, IdGen, SystemClock, SystemIds};
use z4j_core::store::Store;
use z4j_core::time::Timestamp;
use z4j_testkit::fake_agent::{FakeAgent, FakeAgentConfig};
use z4j_testkit::fixture::{Rest, TestBrain, TestBrainOptions};
use z4j_testkit::mem::MemStore;

use crate::common::{WAIT, sqlite};

pub(crate) const RETRY: &str = "/projects/default/commands/retry-task";
pub(crate) const STREAM: &str = "/projects/default/stream";

/// Two brains on one store.
pub(crate) struct Pair {
    pub(crate) one: TestBrain,
    pub(crate) two: TestBrain,
    pub(crate) store: Arc<dyn Store>,
    _directory: Option<TempDir>,
}

impl Pair {
    /// On a store in memory.
    pub(crate) async fn in_memory() -> Self {
        Self::on(Arc::new(MemStore::new()), options(), options()).await
    }

    /// On SQLite.
    pub(crate) async fn on_sqlite() -> Self {
        let (directory, store) = sqlite();
        let mut pair = Self::on(store, options(), options()).await;
        pair._directory = Some(directory);
        pair
    }

    pub(crate) async fn on(
        store: Arc<dyn Store>,
        first: TestBrainOptions,
        second: TestBrainOptions,
    ) -> Self {
        let one = TestBrain::start_with(Arc::clone(&store), first)
            .await
            .unwrap();
        let two = TestBrain::start_with(Arc::clone(&store), second)
            .await
            .unwrap();
        Self::of(one, two, store)
    }

    /// These two; the store is asked what there is.
    pub(crate) fn of(one: TestBrain, two: TestBrain, store: Arc<dyn Store>) -> Self {
        Self {
            one,
            two,
            store,
            _directory: None,
        }
    }
}

/// Brains that beat often, and judge late enough for a busy machine.
pub(crate) fn options() -> TestBrainOptions {
    TestBrainOptions::new().with_config(|config| {
        config.replicas.beat_interval = Duration::from_millis(200);
        config.replicas.silent_after = Duration::from_secs(3);
    })
}

/// Connects to `brain` with what any brain of the store gave out.
pub(crate) async fn connect(brain: &TestBrain, credentials: &AgentCredentials) -> FakeAgent {
    FakeAgent::connect(config(brain, credentials))
        .await
        .unwrap()
}

pub(crate) fn config(brain: &TestBrain, credentials: &AgentCredentials) -> FakeAgentConfig {
    brain.config_of(credentials).unwrap()
}

pub(crate) async fn status_of(rest: &Rest, id: &str) -> Value {
    let path = format!("/projects/default/commands/{id}");
    rest.get(&path).await.unwrap().body
}

/// A clock that is wrong by so many seconds.
#[derive(Debug)]
struct Wrong {
    clock: SystemClock,
    seconds: i64,
}

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now().as_micros() + self.seconds * 1_000_000)
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }
}

/// The machine's sources, with a clock that is wrong by so many seconds.
pub(crate) fn wrong_clock(seconds: i64) -> Env {
    let clock = Wrong {
        clock: SystemClock::new(),
        seconds,
    };
    let ids: Arc<dyn IdGen> = Arc::new(SystemIds);
    Env::new(Arc::new(clock), ids)
}

/// One event of the live stream.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// A reader of the live stream.
pub(crate) struct Live {
    response: Response,
    text: String,
}

impl Live {
    pub(crate) async fn open(rest: &Rest) -> Self {
        let mut live = Self::of(rest.open(STREAM).await.unwrap());
        let ready = live.next().await.expect("a fresh stream says so");
        assert_eq!(ready.event, "ready");
        live
    }

    pub(crate) async fn resume(rest: &Rest, last_id: &str) -> Self {
        Self::of(rest.resume(STREAM, last_id).await.unwrap())
    }

    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event; `None` when the stream is over.
    pub(crate) async fn next(&mut self) -> Option<Said> {
        tokio::time::timeout(WAIT, self.read())
            .await
            .expect("an event, or the end of the stream")
    }

    async fn read(&mut self) -> Option<Said> {
        loop {
            if let Some((block, rest)) = self.text.clone().split_once("\n\n") {
                self.text = rest.to_owned();
                if block.starts_with(':') {
                    continue;
                }
                return Some(parse(block));
            }
            let chunk = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Reads until `wanted` is said; answers the kinds of everything that came, the wanted one last.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Said) -> bool) -> Vec<Said> {
        let mut all = Vec::new();
        loop {
            let said = self.next().await.expect("the stream goes on");
            all.push(said.clone());
            if wanted(&said) {
                return all;
            }
        }
    }

    /// Reads until the stream is over.
    pub(crate) async fn end(&mut self) {
        while self.next().await.is_some() {}
    }
}

fn parse(block: &str) -> Said {
    let member = |name: &str| {
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    Said {
        event: member("event"),
        id: member("id"),
        data: serde_json::from_str(&member("data")).unwrap(),
    }
}

/// Whether it tells this task.
pub(crate) fn tells_task(said: &Said, task_id: &str) -> bool {
    let items = said.data["items"].as_array();
    said.event == "tasks"
        && items.is_some_and(|items| items.iter().any(|task| task["task_id"] == task_id))
}
