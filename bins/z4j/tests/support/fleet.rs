//! Agents that send one event per frame, shuffled, every tenth frame twice, and give up on nothing.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use z4j_core::id::TaskKey;
use z4j_core::store::{PageRequest, Store};
use z4j_core::task::TaskState;
use z4j_testkit::fake_agent::{
    FakeAgent, FakeAgentConfig, FakeAgentError, FakeEvent, FakeTask, Incoming,
};

/// Frames without an acknowledgement at once, as the published agent allows.
const IN_FLIGHT_MAX: usize = 256;
const ACK_WAIT: Duration = Duration::from_secs(5);

/// What one agent will send.
#[derive(Debug)]
pub(crate) struct Plan {
    /// One for each brain that the agent may dial.
    configs: Vec<FakeAgentConfig>,
    frames: Vec<(String, FakeEvent)>,
    expected: Vec<Expected>,
}

/// What must be stored of one task.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The task.
    pub(crate) task_id: String,
    /// Its final state.
    pub(crate) state: TaskState,
    /// How often it was retried.
    pub(crate) retries: u32,
    /// Kind and time of each of its events, sorted.
    pub(crate) events: Vec<(String, String)>,
}

impl Expected {
    /// What `events` make of a task.
    pub(crate) fn of(task_id: &str, events: &[FakeEvent], state: TaskState, retries: u32) -> Self {
        let mut events: Vec<_> = events
            .iter()
            .map(|event| (event.kind.clone(), event.occurred_at.clone()))
            .collect();
        events.sort();
        Self {
            task_id: task_id.to_owned(),
            state,
            retries,
            events,
        }
    }
}

impl Plan {
    /// `tasks` tasks of four fates, their events shuffled by a fixed seed.
    pub(crate) fn new(agent: usize, tasks: usize, configs: Vec<FakeAgentConfig>) -> Self {
        let (mut frames, mut expected) = (Vec::new(), Vec::new());
        for index in 0..tasks {
            let task_id = format!("task-{agent}-{index}");
            let task = FakeTask::new("celery", &task_id, "shop.orders.confirm");
            let (events, state, retries) = match index % 4 {
                0 => (task.fails(), TaskState::Failure, 0),
                1 => (task.succeeds_after_retries(2), TaskState::Success, 2),
                2 => (
                    vec![task.received(), task.started(0), task.revoked(true)],
                    TaskState::Revoked,
                    0,
                ),
                _ => (task.succeeds(), TaskState::Success, 0),
            };
            expected.push(Expected::of(&task_id, &events, state, retries));
            frames.extend(events);
        }
        shuffle(&mut frames, agent as u64 + 1);
        let frames = frames
            .into_iter()
            .enumerate()
            .map(|(index, event)| (format!("ev_{agent:04x}{index:028x}"), event))
            .collect();
        Self {
            configs,
            frames,
            expected,
        }
    }

    /// What must be stored.
    pub(crate) fn expected(&self) -> Vec<Expected> {
        self.expected.clone()
    }

    /// How many frames need an acknowledgement.
    pub(crate) const fn frames(&self) -> usize {
        self.frames.len()
    }
}

/// What is stored must be exactly what was sent: each event once, each task in its state, counters equal to a recount.
pub(crate) async fn check(store: &dyn Store, expected: &[Expected]) {
    let project = store.project_by_slug("default").await.unwrap().unwrap().id;
    let mut counts = BTreeMap::<TaskState, u64>::new();
    for task in expected {
        let key = TaskKey::new("celery", &task.task_id);
        let page = PageRequest::first(500);
        let page = store.task_events(project, &key, page).await.unwrap();
        let mut kinds: Vec<(String, String)> = page
            .items
            .iter()
            .map(|row| (row.kind.as_str().to_owned(), row.occurred_at.to_string()))
            .collect();
        kinds.sort();
        assert_eq!(kinds, task.events, "events of {}", task.task_id);
        let detail = store.task(project, &key).await.unwrap().unwrap();
        let shown = (detail.summary.state, detail.summary.retry_count);
        assert_eq!(shown, (task.state, task.retries), "{}", task.task_id);
        *counts.entry(task.state).or_default() += 1;
    }
    let stored = store.state_counts(project).await.unwrap();
    let stored: BTreeMap<TaskState, u64> = stored
        .into_iter()
        .filter(|row| row.count > 0)
        .map(|row| (row.state, row.count))
        .collect();
    assert_eq!(stored, counts, "counters equal a recount");
    let facets = store.facets(project, 10).await.unwrap();
    let names: u64 = facets.names.iter().map(|facet| facet.count).sum();
    assert_eq!(names, counts.values().sum::<u64>(), "names equal a recount");
}

/// Sends until every frame is acknowledged, over as many connections as it takes.
pub(crate) async fn stream(plan: Plan, acked: Arc<AtomicUsize>) {
    let mut waiting: BTreeMap<String, FakeEvent> = BTreeMap::new();
    let order: Vec<String> = plan.frames.iter().map(|(id, _)| id.clone()).collect();
    waiting.extend(plan.frames);
    let mut brains = plan.configs.iter().cycle();
    while !waiting.is_empty() {
        let Some(config) = brains.next() else { return };
        let Ok(agent) = FakeAgent::connect(config.clone()).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // A link that ends is what this test is about: the next round sends again what was not acknowledged.
        let _ended = send_all(agent, &order, &mut waiting, &acked).await;
    }
}

async fn send_all(
    agent: FakeAgent,
    order: &[String],
    waiting: &mut BTreeMap<String, FakeEvent>,
    acked: &AtomicUsize,
) -> Result<(), FakeAgentError> {
    let (mut sender, mut receiver) = agent.split();
    let todo: Vec<String> = order
        .iter()
        .filter(|id| waiting.contains_key(*id))
        .cloned()
        .collect();
    let mut in_flight = 0;
    let mut next = todo.iter().enumerate();
    loop {
        while in_flight < IN_FLIGHT_MAX
            && let Some((index, id)) = next.next()
        {
            let Some(event) = waiting.get(id) else {
                continue;
            };
            sender.send_batch(id, std::slice::from_ref(event)).await?;
            if index % 10 == 9 {
                sender.send_batch(id, std::slice::from_ref(event)).await?;
            }
            in_flight += 1;
        }
        if waiting.is_empty() {
            return sender.close(1000).await;
        }
        if let Incoming::Ack(ack) = receiver.recv(ACK_WAIT).await?
            && waiting.remove(&ack.acked_id).is_some()
        {
            in_flight -= 1;
            acked.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// Fisher-Yates with a small generator of its own: a failing order can be run again.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for index in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (index as u64 + 1)).unwrap();
        items.swap(index, other);
    }
}
