//! People who order, and workers who obey, whichever brain is up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use z4j_core::task::TaskState;
use z4j_testkit::fake_agent::{FakeAgent, FakeAgentConfig, FakeAgentError, FakeTask, Incoming};
use z4j_testkit::fixture::Rest;

use crate::brain::{EMAIL, PASSWORD};
use crate::fleet::Expected;
use crate::world::World;

/// The task that is retried.
const TASK: &str = "order-of-a-person";
/// Between two orders.
const ORDER_EVERY: Duration = Duration::from_millis(40);
/// A brain that does not answer by then is left for the next one.
const ORDER_WAIT: Duration = Duration::from_secs(2);
/// A command's time-out, the ten seconds after it, and time to look.
const SETTLE_WAIT: Duration = Duration::from_secs(90);

/// How often each command was seen on a socket.
type Seen = Arc<Mutex<BTreeMap<String, u32>>>;

/// Agents that carry commands out; every seventh time they hang up instead of answering.
pub(crate) struct Workers {
    seen: Seen,
    stop: CancellationToken,
    running: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Mints and connects them.
    pub(crate) async fn start(world: &World, count: usize) -> Self {
        let (seen, stop) = (Seen::default(), CancellationToken::new());
        let running = (0..count)
            .map(|index| {
                let mut configs = world.mint(&format!("worker-{index}"));
                configs.rotate_left(index % world.ports.len());
                let work = obey(configs, Arc::clone(&seen));
                let stop = stop.clone();
                tokio::spawn(
                    async move { stop.run_until_cancelled(work).await.unwrap_or_default() },
                )
            })
            .collect();
        Self {
            seen,
            stop,
            running,
        }
    }

    /// Stops them; answers how often each command was written to a socket.
    pub(crate) async fn finish(self) -> BTreeMap<String, u32> {
        self.stop.cancel();
        for worker in self.running {
            worker.await.unwrap();
        }
        self.seen.lock().unwrap().clone()
    }
}

async fn obey(configs: Vec<FakeAgentConfig>, seen: Seen) {
    for config in configs.iter().cycle() {
        if let Ok(mut agent) = FakeAgent::connect(config.clone()).await {
            let _ended = serve(&mut agent, &seen).await;
        } else {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn serve(agent: &mut FakeAgent, seen: &Seen) -> Result<(), FakeAgentError> {
    loop {
        let command = match agent.recv(Duration::from_secs(2)).await {
            Ok(Incoming::Command(command)) => command,
            Ok(_) => continue,
            Err(FakeAgentError::TimedOut(_)) => {
                agent.heartbeat().await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let number = {
            let mut seen = seen.lock().unwrap();
            *seen.entry(command.id.clone()).or_default() += 1;
            seen.len()
        };
        if number % 7 == 0 {
            return Ok(());
        }
        agent.ack_command(&command).await?;
        let result = json!({"new_task_id": format!("new-{number}"), "task_name": "shop.charge", "priority": null});
        agent.succeed_command(&command, &result).await?;
    }
}

/// A person who orders a retry again and again.
pub(crate) struct Orders {
    stop: CancellationToken,
    running: JoinHandle<usize>,
    rest: Rest,
    task: Expected,
}

/// What was ordered.
pub(crate) struct Issued {
    count: usize,
    rest: Rest,
    /// The task that was retried.
    pub(crate) task: Expected,
}

impl Orders {
    /// Makes the task and begins.
    pub(crate) async fn start(world: &World) -> Self {
        let mut agent = FakeAgent::connect(world.mint("first").remove(0))
            .await
            .unwrap();
        let events = FakeTask::new("celery", TASK, "shop.charge").fails();
        let batch = agent.send_events(&events).await.unwrap();
        agent
            .wait_ack(&batch, Duration::from_secs(20))
            .await
            .unwrap();
        agent.close().await;
        let urls: Vec<String> = world
            .ports
            .iter()
            .map(|port| format!("http://127.0.0.1:{port}"))
            .collect();
        let rest = Rest::sign_in(&urls[0], EMAIL, PASSWORD).await.unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(order(rest.clone(), urls, stop.clone()));
        Self {
            stop,
            running,
            rest,
            task: Expected::of(TASK, &events, TaskState::Failure, 0),
        }
    }

    /// No more orders.
    pub(crate) async fn finish(self) -> Issued {
        self.stop.cancel();
        Issued {
            count: self.running.await.unwrap(),
            rest: self.rest,
            task: self.task,
        }
    }
}

async fn order(rest: Rest, urls: Vec<String>, stop: CancellationToken) -> usize {
    let mut accepted = 0;
    let body = json!({"engine": "celery", "task_id": TASK});
    for url in urls.iter().cycle() {
        if stop.is_cancelled() {
            break;
        }
        let path = "/projects/default/commands/retry-task";
        let brain = rest.at(url);
        let answer = tokio::time::timeout(ORDER_WAIT, brain.post(path, &body)).await;
        // A brain that was just killed or paused answers nothing; whether the command was written is then not known.
        if let Ok(Ok(answer)) = answer {
            accepted += usize::from(answer.status == 202);
        }
        tokio::time::sleep(ORDER_EVERY).await;
    }
    accepted
}

impl Issued {
    /// How many orders were accepted with certainty.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Waits until every command has settled; answers how many settled how.
    pub(crate) async fn settled(&self, world: &World) -> BTreeMap<String, usize> {
        let rest = self
            .rest
            .at(&format!("http://127.0.0.1:{}", world.ports[0]));
        let settled = async {
            loop {
                let states = states(&rest).await;
                let open = ["pending", "dispatched", "acknowledged"];
                if !states.keys().any(|state| open.contains(&state.as_str())) {
                    return states;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        let settled = tokio::time::timeout(SETTLE_WAIT, settled).await;
        let states = settled.expect("every command settles by its deadline and ten seconds");
        let all: usize = states.values().sum();
        assert!(
            all >= self.count,
            "{all} of {} accepted commands are there",
            self.count
        );
        states
    }
}

async fn states(rest: &Rest) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let path = format!("/projects/default/commands?limit=500{after}");
        let page = rest.get(&path).await.unwrap();
        assert_eq!(page.status, 200, "{}", page.body);
        for command in page.body["items"].as_array().unwrap() {
            let state = command["status"].as_str().unwrap().to_owned();
            *states.entry(state).or_insert(0) += 1;
        }
        match &page.body["next_cursor"] {
            Value::String(next) => cursor = Some(next.clone()),
            _ => return states,
        }
    }
}
