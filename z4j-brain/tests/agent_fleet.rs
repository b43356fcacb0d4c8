//! What agents say of themselves, of their workers and of their queues, and what dashboards hear of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::future_not_send,
    reason = "a test program: a failure is a panic"
)]

mod common;

use std::time::Duration;

use common::{WAIT, agent, agent_when, brain, eventually, sqlite, works};
use serde_json::{Value, json};
use z4j_core::store::{QueueRow, WorkerRow, WorkerState};
use z4j_core::wire::{AgentStatus, Heartbeat, TelemetryLoss};
use z4j_testkit::fake_agent::{FakeAgent, FakeTask};
use z4j_testkit::fixture::{TestBrain, TestBrainOptions};

async fn worker_when(
    brain: &TestBrain,
    name: &str,
    wanted: impl Fn(&WorkerRow) -> bool,
) -> WorkerRow {
    eventually(name, || async {
        let workers = brain.store().workers(brain.project()).await.unwrap();
        workers
            .into_iter()
            .find(|worker| worker.name == name && wanted(worker))
    })
    .await
}

async fn queue_when(brain: &TestBrain, name: &str, wanted: impl Fn(&QueueRow) -> bool) -> QueueRow {
    eventually(name, || async {
        let queues = brain.store().queues(brain.project()).await.unwrap();
        queues
            .into_iter()
            .find(|queue| queue.name == name && wanted(queue))
    })
    .await
}

/// A heartbeat of a Celery worker as the published agent sends it.
fn celery_heartbeat(node: &str, pid: u32) -> Heartbeat {
    let details = json!({node: {
        "stats": {
            "pid": pid, "uptime": 12, "prefetch_count": 8,
            "pool": {"implementation": "celery.concurrency.prefork:TaskPool", "max-concurrency": 2},
            "broker": {"hostname": "10.0.0.1", "userid": "guest", "transport_options": {"password": "hunter2"}},
        },
        "active": [{"id": "x"}],
        "active_queues": [{"name": "celery"}, {"name": "mail"}],
        "registered": ["shop.charge", "shop.mail"],
        "conf": {"worker_concurrency": 2, "broker_url": "redis://u:hunter2@10.0.0.1/0", "timezone": "UTC"},
    }});
    Heartbeat {
        buffer_size: 3,
        adapter_health: [
            ("celery.broker_type".to_owned(), "redis".to_owned()),
            (
                "celery.broker_error".to_owned(),
                "cannot reach redis://u:hunter2@10.0.0.1/0".to_owned(),
            ),
            ("celery.worker_details".to_owned(), details.to_string()),
            (
                "celery.queue_depths".to_owned(),
                json!({"celery": 5, "mail": null}).to_string(),
            ),
        ]
        .into(),
        ..Heartbeat::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_shows_the_worker_its_queues_and_no_secret() {
    let (_directory, brain) = brain().await;
    let (credentials, mut agent) = agent(&brain, "celery").await;
    agent
        .heartbeat_with(&celery_heartbeat("w1@host", std::process::id()))
        .await
        .unwrap();
    let worker = worker_when(&brain, "w1@host", |worker| worker.details.is_some()).await;
    assert_eq!(worker.state, WorkerState::Online);
    assert_eq!(
        (worker.pid, worker.concurrency, worker.active),
        (Some(std::process::id()), Some(2), Some(1))
    );
    assert_eq!(worker.queues, ["celery", "mail"]);
    let details: Value = serde_json::from_str(worker.details.as_deref().unwrap()).unwrap();
    assert_eq!(
        details["settings"],
        json!({"timezone": "UTC", "worker_concurrency": 2})
    );
    assert_eq!(
        queue_when(&brain, "celery", |queue| queue.depth.is_some())
            .await
            .depth,
        Some(5)
    );
    let row = agent_when(&brain, &credentials, "the heartbeat", |row| {
        row.buffer_entries == Some(3)
    })
    .await;
    assert_eq!(row.health["celery.broker_type"], "redis");
    let shown = format!("{row:?} {worker:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_offline_as_soon_as_the_link_of_its_own_process_is_gone() {
    let (_directory, brain) = brain().await;
    let (_, mut celery) = agent(&brain, "celery").await;
    celery
        .heartbeat_with(&celery_heartbeat("w1@host", std::process::id()))
        .await
        .unwrap();
    let rq = brain.mint("rq").await.unwrap();
    let config = brain.config_of(&rq).unwrap().with_hello(|hello| {
        hello.engines = vec!["rq".to_owned()];
        hello.worker_pid = Some(4711);
    });
    let mut rq = FakeAgent::connect(config).await.unwrap();
    let health = [("rq.broker_type".to_owned(), "redis".to_owned())];
    let beat = Heartbeat {
        adapter_health: health.into(),
        ..Heartbeat::default()
    };
    rq.heartbeat_with(&beat).await.unwrap();
    let mut task = FakeTask::new("rq", "job-1", "shop.mail");
    task.worker = "rq-worker-1".to_owned();
    let batch = rq.send_events(&task.succeeds()).await.unwrap();
    rq.wait_ack(&batch, WAIT).await.unwrap();
    worker_when(&brain, "w1@host", |worker| {
        worker.state == WorkerState::Online
    })
    .await;
    worker_when(&brain, "rq-worker-1", |worker| worker.pid == Some(4711)).await;
    celery.cut();
    rq.cut();
    worker_when(&brain, "w1@host", |worker| {
        worker.state == WorkerState::Offline
    })
    .await;
    worker_when(&brain, "rq-worker-1", |worker| {
        worker.state == WorkerState::Offline
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_nobody_sees_goes_offline_and_a_cached_description_does_not_keep_it() {
    let (_directory, store) = sqlite();
    let options = TestBrainOptions::new().with_config(|config| {
        config.agents.heartbeat_interval = Duration::from_secs(1);
        // Long enough to be seen on a busy machine.
        config.agents.worker_silent_after = Duration::from_secs(3);
    });
    let brain = TestBrain::start_with(store, options).await.unwrap();
    let (_, mut agent) = agent(&brain, "witness").await;
    let cached = celery_heartbeat("killed@elsewhere", 1);
    agent.heartbeat_with(&cached).await.unwrap();
    worker_when(&brain, "killed@elsewhere", |worker| {
        worker.state == WorkerState::Online
    })
    .await;
    let is_offline = || async {
        let workers = brain.store().workers(brain.project()).await.unwrap();
        workers
            .iter()
            .any(|worker| worker.state == WorkerState::Offline)
    };
    let until_offline = async {
        while !is_offline().await {
            agent.heartbeat_with(&cached).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(
        tokio::time::timeout(WAIT, until_offline).await.is_ok(),
        "the cached description keeps it online"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_loss_is_shown_and_a_flood_of_statuses_is_not() {
    let (_directory, brain) = brain().await;
    let (credentials, mut agent) = agent(&brain, "lossy").await;
    let loss = |count| TelemetryLoss {
        buffer_id: "b".to_owned(),
        runtime_id: "r:1".to_owned(),
        event_records: count,
        ..TelemetryLoss::default()
    };
    let status = AgentStatus {
        telemetry_loss: Some(loss(7)),
        ..AgentStatus::default()
    };
    agent.status(&status).await.unwrap();
    for _ in 0..100 {
        agent
            .status(&AgentStatus {
                buffer_depth: 999,
                ..AgentStatus::default()
            })
            .await
            .unwrap();
    }
    let beat = Heartbeat {
        buffer_size: 1,
        telemetry_loss: Some(loss(9)),
        ..Heartbeat::default()
    };
    agent.heartbeat_with(&beat).await.unwrap();
    let row = agent_when(&brain, &credentials, "the loss", |row| {
        row.telemetry_loss
            .as_ref()
            .is_some_and(|loss| loss.contains(":9"))
    })
    .await;
    assert_eq!(row.buffer_entries, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_of_a_buffer_counts_once_however_often_its_process_starts() {
    let (_directory, brain) = brain().await;
    let (credentials, mut agent) = agent(&brain, "restarting").await;
    for (runtime, lost, by_adapter) in [("r:1", 7, 2), ("r:2", 9, 4)] {
        let beat = Heartbeat {
            telemetry_loss: Some(TelemetryLoss {
                buffer_id: "b".to_owned(),
                runtime_id: runtime.to_owned(),
                event_records: lost,
                adapter_events: [("celery".to_owned(), by_adapter)].into(),
                ..TelemetryLoss::default()
            }),
            ..Heartbeat::default()
        };
        agent.heartbeat_with(&beat).await.unwrap();
        let shown = format!(r#""event_records":{lost}"#);
        let _ = agent_when(&brain, &credentials, "the loss", |row| {
            let loss = row.telemetry_loss.as_deref().unwrap_or_default();
            loss.contains(&shown)
        })
        .await;
    }
    let _ = agent_when(&brain, &credentials, "both runtimes", |row| {
        let loss = row.telemetry_loss.as_deref().unwrap_or_default();
        loss.contains(r#""celery":6"#) && loss.contains(r#""event_records":9"#)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_on_which_nothing_is_heard_is_closed_with_4408() {
    let (_directory, store) = sqlite();
    let options = TestBrainOptions::new();
    let options =
        options.with_config(|config| config.agents.heartbeat_interval = Duration::from_secs(1));
    let brain = TestBrain::start_with(store, options).await.unwrap();
    let (_, mut silent) = agent(&brain, "silent").await;
    assert_eq!(silent.hello_ack().heartbeat_interval_seconds, 1);
    assert_eq!(silent.wait_close(WAIT).await.unwrap(), Some(4408));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dashboard_hears_of_a_task_when_it_is_stored() {
    let (_directory, brain) = brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    let rest = brain.sign_in().await.unwrap();
    let mut stream = rest.open("/projects/default/stream").await.unwrap();
    assert_eq!(stream.status().as_u16(), 200);
    let mut heard = String::new();
    let mut works_once = Some(works(&mut agent, "live"));
    let listening = async {
        while !(heard.contains("event: tasks")
            && heard.contains("\"live\"")
            && heard.contains("\"success\""))
        {
            let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
            heard.push_str(&String::from_utf8_lossy(&chunk));
            if let Some(works) = works_once.take() {
                works.await;
            }
        }
    };
    assert!(
        tokio::time::timeout(WAIT, listening).await.is_ok(),
        "heard only: {heard}"
    );
}
