//! The agent and its in-process engine against a real brain: what people see must be what happened.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "helpers of tests fail by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use z4j_agent::engine::inproc::{InprocConfig, InprocEngine, InprocWorkers, JobError, JobSpec};
use z4j_agent::{Agent, AgentHandle, Credential};
use z4j_testkit::fixture::{Rest, TestBrain};
use z4j_testkit::mem::MemStore;

/// Longer than anything takes here; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Scene {
    brain: TestBrain,
    rest: Rest,
    engine: InprocEngine,
    agent: AgentHandle,
    workers: InprocWorkers,
}

/// A brain, an agent connected to it, and an engine whose jobs succeed, fail, need three attempts, or wait for `gate`.
async fn scene(gate: Arc<Notify>) -> Scene {
    let brain = TestBrain::start(Arc::new(MemStore::new())).await.unwrap();
    let credentials = brain.mint("rust-1").await.unwrap();
    let engine = InprocEngine::new(InprocConfig {
        worker_name: "box-1".to_owned(),
        ..InprocConfig::default()
    });
    engine.register("shop.receipt", |job| async move {
        Ok(json!({"order": job.args}))
    });
    engine.register("shop.charge", |_| async {
        Err(JobError::new("CardDeclined", "no money"))
    });
    engine.register("shop.stock", |job| async move {
        match job.attempt {
            0 | 1 => Err(JobError::new("Timeout", "no answer")),
            _ => Ok(json!(128)),
        }
    });
    engine.register("shop.report", move |_| {
        let gate = Arc::clone(&gate);
        async move {
            gate.notified().await;
            Ok(Value::Null)
        }
    });
    let workers = engine.start();
    let credential = Credential::new(
        secrecy_text(&credentials.token),
        "default",
        secrecy_text(&credentials.hmac_secret),
    );
    let agent = Agent::builder(brain.url(), credential)
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    let rest = brain.sign_in().await.unwrap();
    Scene {
        brain,
        rest,
        engine,
        agent,
        workers,
    }
}

fn secrecy_text(secret: &impl secrecy::ExposeSecret<str>) -> String {
    secret.expose_secret().to_owned()
}

impl Scene {
    /// Asks until the answer satisfies `wanted`.
    async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/projects/default{path}");
        let asking = async {
            loop {
                let answer = self.rest.get(&path).await.unwrap();
                if answer.status == 200 && wanted(&answer.body) {
                    return answer.body;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(body) => body,
            Err(_) => panic!("never so: {path}: {:?}", self.rest.get(&path).await),
        }
    }

    async fn task(&self, task_id: &str, state: &str) -> Value {
        let path = format!("/tasks/inproc/{task_id}");
        self.until(&path, |task| task["state"] == state).await
    }

    async fn command(&self, action: &str, task_id: &str) -> Value {
        let path = format!("/projects/default/commands/{action}");
        let body = json!({"engine": "inproc", "task_id": task_id});
        let answer = self.rest.post(&path, &body).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.body);
        let path = format!("/commands/{}", answer.body["id"].as_str().unwrap());
        self.until(&path, |command| {
            !["pending", "dispatched", "acknowledged"]
                .contains(&command["status"].as_str().unwrap())
        })
        .await
    }

    async fn end(self) {
        self.engine.cancel_waiting();
        self.workers.stop().await;
        let left = self.agent.shutdown(PATIENCE).await;
        assert_eq!((left.buffered_events, left.lost_events), (0, 0));
        self.brain.stop().await.unwrap();
    }
}

#[tokio::test]
async fn every_task_appears_with_its_true_state_name_queue_worker_times_and_attempts() {
    let scene = scene(Arc::default()).await;
    let receipt = JobSpec::new("shop.receipt")
        .with_args([json!(7)])
        .with_kwarg("api_key", "hunter2")
        .on_queue("mail");
    let receipt = scene.engine.submit(receipt).unwrap();
    let charge = scene.engine.submit(JobSpec::new("shop.charge")).unwrap();
    let stock = scene
        .engine
        .submit(JobSpec::new("shop.stock").with_retries(2, Duration::ZERO))
        .unwrap();

    let task = scene.task(&receipt, "success").await;
    assert_eq!(
        (&task["name"], &task["queue"], &task["worker_name"]),
        (&json!("shop.receipt"), &json!("mail"), &json!("box-1"))
    );
    assert_eq!(task["args"], json!([7]));
    assert_eq!(task["kwargs"], json!({"api_key": "[REDACTED]"}));
    assert_eq!(task["result"], json!({"order": [7]}));
    assert_eq!(task["retry_count"], 0);
    let times: Vec<_> = ["received_at", "started_at", "finished_at"]
        .iter()
        .map(|at| task[*at].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");

    let task = scene.task(&charge, "failure").await;
    assert_eq!(
        (&task["exception"], &task["exception_message"]),
        (&json!("CardDeclined"), &json!("no money"))
    );
    assert!(task["traceback"].as_str().unwrap().contains("CardDeclined"));
    assert!(task["runtime_ms"].is_u64());

    let task = scene.task(&stock, "success").await;
    assert_eq!(task["retry_count"], 2);
    scene.end().await;
}

#[tokio::test]
async fn a_retry_by_reference_runs_the_same_arguments_and_both_tasks_link_to_each_other() {
    let scene = scene(Arc::default()).await;
    let failed = scene
        .engine
        .submit(JobSpec::new("shop.charge").with_kwarg("amount", 5))
        .unwrap();
    scene.task(&failed, "failure").await;
    let command = scene.command("retry-task", &failed).await;
    assert_eq!(command["status"], "completed", "{command}");
    let new = command["result"]["new_task_id"].as_str().unwrap();
    let retried = scene.task(new, "failure").await;
    assert_eq!(
        (&retried["kwargs"], &retried["retry_of"]),
        (&json!({"amount": 5}), &json!(failed))
    );
    assert_eq!(scene.task(&failed, "failure").await["retried_as"], new);
    scene.end().await;
}

#[tokio::test]
async fn cancelling_stops_a_running_task_and_says_of_a_finished_one_that_it_was_finished() {
    let scene = scene(Arc::default()).await;
    let running = scene.engine.submit(JobSpec::new("shop.report")).unwrap();
    scene.task(&running, "started").await;
    let command = scene.command("cancel-task", &running).await;
    assert_eq!(
        (&command["status"], &command["result"]["terminated"]),
        (&json!("completed"), &json!(true))
    );
    scene.task(&running, "revoked").await;

    let body = json!({"engine": "inproc", "task_id": running});
    let refused = scene
        .rest
        .post("/projects/default/commands/cancel-task", &body)
        .await
        .unwrap();
    assert_eq!(
        (refused.status, &refused.body["error"]),
        (409, &json!("task_finished"))
    );
    scene.end().await;
}

#[tokio::test]
async fn tasks_of_one_kind_within_the_same_second_stay_apart_and_counters_agree() {
    let scene = scene(Arc::default()).await;
    let mut submitted: Vec<String> = Vec::new();
    for number in 0..60 {
        let spec = JobSpec::new("shop.receipt").with_args([json!(number)]);
        submitted.push(scene.engine.submit(spec).unwrap());
    }
    let stats = scene
        .until("/stats", |stats| stats["states"]["success"] == 60)
        .await;
    assert_eq!(stats["lost_events"], 0);
    let list = scene
        .until("/tasks?limit=100", |list| {
            list["items"].as_array().unwrap().len() == 60
        })
        .await;
    let mut seen: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["task_id"].as_str().unwrap())
        .collect();
    seen.sort_unstable();
    submitted.sort_unstable();
    assert_eq!(seen, submitted);
    scene.end().await;
}

#[tokio::test]
async fn the_worker_and_its_queues_are_known_from_what_the_agent_reports() {
    let gate = Arc::new(Notify::new());
    let scene = scene(Arc::clone(&gate)).await;
    let worker = scene
        .until("/workers", |list| list["items"][0]["concurrency"] == 4)
        .await["items"][0]
        .clone();
    assert_eq!(
        (&worker["name"], &worker["state"]),
        (&json!("box-1"), &json!("online"))
    );
    assert_eq!(worker["pid"], std::process::id());
    let agents = scene
        .until("/agents", |list| list["items"][0]["state"] == "online")
        .await;
    assert_eq!(agents["items"][0]["engines"], json!(["inproc"]));
    scene.end().await;
}
