//! Commands from the socket to an engine and back.

mod support;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};
use support::{Brain, BrainLink, is_event};
use tokio::sync::mpsc;
use z4j_agent::engine::inproc::{InprocConfig, InprocEngine, JobError, JobSpec};
use z4j_core::engine::{
    CommandOutcome, Engine, EngineCommand, EngineDescriptor, EngineError, EngineSnapshot,
    ObservedEvent,
};
use z4j_core::wire::FrameType;

/// Sends a command and gives the payload of its result; its ack must come first.
async fn ask(link: &mut BrainLink, id: &str, action: &str, parameters: Value) -> Value {
    link.command(id, action, parameters).await;
    assert_eq!(link.next_of(FrameType::CommandAck).await.id, id);
    let result = link.next_of(FrameType::CommandResult).await;
    assert_eq!(result.id, id);
    result.payload
}

fn engine_with_jobs() -> InprocEngine {
    let engine = InprocEngine::new(InprocConfig::default());
    engine.register("demo.fails_first", |job| async move {
        match job.kwargs.get("card") {
            Some(card) if job.args == [json!("again")] => Ok(card.clone()),
            _ => Err(JobError::new("CardDeclined", "no money")),
        }
    });
    engine.register("demo.flaky", |job| async move {
        if job.attempt < 2 {
            return Err(JobError::new("Timeout", "no answer"));
        }
        Ok(json!(job.attempt))
    });
    engine.register("demo.long", |_| std::future::pending());
    engine
}

#[tokio::test]
async fn a_failed_task_is_retried_by_reference_with_its_own_arguments() {
    let brain = Brain::start().await;
    let engine = engine_with_jobs();
    let workers = engine.start();
    let _agent = brain
        .agent()
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    let spec = JobSpec::new("demo.fails_first")
        .with_args([json!("once")])
        .with_kwarg("card", 42)
        .on_queue("pay");
    let task_id = engine.submit(spec).unwrap();
    let events = link.events_until(is_event("task.failed", &task_id)).await;
    let failed = events
        .iter()
        .find(|event| event["kind"] == "task.failed")
        .unwrap();
    assert_eq!(failed["data"]["exception"], "CardDeclined");
    assert_eq!(failed["data"]["queue"], "pay");
    assert!(
        failed["data"]["traceback"]
            .as_str()
            .unwrap()
            .starts_with("CardDeclined: no money\n")
    );
    assert!(failed["data"]["runtime_ms"].is_u64());

    let result = ask(&mut link, "c1", "retry_task", json!({"task_id": task_id})).await;
    assert_eq!(
        (&result["status"], &result["result"]["task_name"]),
        (&json!("success"), &json!("demo.fails_first"))
    );
    let new_id = result["result"]["new_task_id"].as_str().unwrap().to_owned();
    assert_ne!(new_id, task_id);
    let events = link.events_until(is_event("task.failed", &new_id)).await;
    let received = events
        .iter()
        .find(|event| is_event("task.received", &new_id)(event))
        .unwrap();
    assert_eq!(
        (&received["data"]["args"], &received["data"]["kwargs"]),
        (&json!(["once"]), &json!({"card": 42}))
    );

    let overridden =
        json!({"task_id": task_id, "override_args": ["again"], "override_kwargs": {"card": 7}});
    let result = ask(&mut link, "c2", "retry_task", overridden).await;
    let new_id = result["result"]["new_task_id"].as_str().unwrap().to_owned();
    link.events_until(is_event("task.succeeded", &new_id)).await;
    workers.stop().await;
}

#[tokio::test]
async fn attempts_are_reported_as_retries_and_end_well() {
    let brain = Brain::start().await;
    let engine = engine_with_jobs();
    let workers = engine.start();
    let _agent = brain
        .agent()
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    let task_id = engine
        .submit(JobSpec::new("demo.flaky").with_retries(3, Duration::from_millis(1)))
        .unwrap();
    let events = link
        .events_until(is_event("task.succeeded", &task_id))
        .await;
    let kinds: Vec<_> = events
        .iter()
        .filter(|event| event["task_id"] == task_id)
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    let expected = [
        "received",
        "started",
        "retried",
        "received",
        "started",
        "retried",
        "received",
        "started",
        "succeeded",
    ];
    assert_eq!(kinds, expected.map(|kind| format!("task.{kind}")));
    let times: Vec<_> = events
        .iter()
        .map(|event| event["occurred_at"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    workers.stop().await;
}

#[tokio::test]
async fn a_running_task_is_cancelled_once_and_a_finished_one_says_that_it_was_finished() {
    let brain = Brain::start().await;
    let engine = engine_with_jobs();
    let workers = engine.start();
    let _agent = brain
        .agent()
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    let task_id = engine.submit(JobSpec::new("demo.long")).unwrap();
    link.events_until(is_event("task.started", &task_id)).await;
    let result = ask(&mut link, "c1", "cancel_task", json!({"task_id": task_id})).await;
    assert_eq!(
        result["result"],
        json!({"task_id": task_id, "terminated": true})
    );
    let events = link.events_until(is_event("task.revoked", &task_id)).await;
    assert_eq!(
        events
            .iter()
            .filter(|event| event["kind"] == "task.revoked")
            .count(),
        1
    );

    let result = ask(&mut link, "c2", "cancel_task", json!({"task_id": task_id})).await;
    assert_eq!(result["status"], "failed");
    assert_eq!(result["error"], "the task is finished: it is cancelled");
    workers.stop().await;
}

#[tokio::test]
async fn a_purge_empties_one_queue_and_reports_each_task_as_revoked() {
    let brain = Brain::start().await;
    let engine = engine_with_jobs();
    let _agent = brain
        .agent()
        .with_engine(engine.clone())
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    let purged = engine
        .submit(JobSpec::new("demo.long").on_queue("a"))
        .unwrap();
    let kept = engine
        .submit(JobSpec::new("demo.long").on_queue("b"))
        .unwrap();
    let result = ask(
        &mut link,
        "c1",
        "purge_queue",
        json!({"queue": "a", "force": true}),
    )
    .await;
    assert_eq!(result["result"]["purged"], 1);
    link.events_until(is_event("task.revoked", &purged)).await;
    assert_eq!(engine.job_state(&kept), Some("pending"));
    let depths = engine.snapshot().await.unwrap().queue_depths;
    assert_eq!(depths, [("a".to_owned(), 0), ("b".to_owned(), 1)]);
}

#[tokio::test]
async fn an_action_that_nobody_declared_fails_with_the_reason() {
    let brain = Brain::start().await;
    let _agent = brain
        .agent()
        .with_engine(engine_with_jobs())
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    let result = ask(&mut link, "c1", "rate_limit", json!({})).await;
    assert_eq!(result["error"], "engine inproc cannot do rate_limit");
    let result = ask(
        &mut link,
        "c2",
        "retry_task",
        json!({"engine": "celery", "task_id": "t"}),
    )
    .await;
    assert_eq!(result["error"], "this agent has no engine celery");
}

/// An engine that counts what it is asked, and misbehaves on request.
#[derive(Debug)]
struct Moody {
    asked: mpsc::Sender<String>,
}

#[allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "an engine that falls over is what is tested"
)]
#[async_trait]
impl Engine for Moody {
    fn descriptor(&self) -> EngineDescriptor {
        EngineDescriptor {
            name: "moody".to_owned(),
            capabilities: ["cancel_task", "retry_task", "purge_queue"]
                .map(str::to_owned)
                .to_vec(),
        }
    }

    fn events(&self) -> BoxStream<'static, ObservedEvent> {
        futures_util::stream::pending().boxed()
    }

    async fn execute(&self, command: EngineCommand) -> Result<CommandOutcome, EngineError> {
        self.asked.send(command.action.clone()).await.unwrap();
        match command.action.as_str() {
            "cancel_task" => panic!("the engine fell over"),
            "retry_task" => Err(EngineError::new("retry_task")),
            _ => Ok(CommandOutcome::Done(serde_json::Map::new())),
        }
    }

    async fn snapshot(&self) -> Result<EngineSnapshot, EngineError> {
        panic!("the engine fell over")
    }
}

#[tokio::test]
async fn an_engine_that_panics_or_does_not_know_leaves_an_indeterminate_result_and_the_agent_lives()
{
    let brain = Brain::start().await;
    let (asked, mut count) = mpsc::channel(8);
    let _agent = brain
        .agent()
        .with_engine(Moody { asked })
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    let beat = link.next_of(FrameType::Heartbeat).await;
    assert_eq!(
        beat.payload["adapter_health"]["moody.error"],
        "the engine panicked"
    );
    for (id, action) in [("c1", "cancel_task"), ("c2", "retry_task")] {
        let result = ask(&mut link, id, action, json!({"task_id": "t"})).await;
        assert_eq!(result["status"], "failed");
        assert_eq!(
            result["result"],
            json!({"indeterminate": true, "operation": action})
        );
        assert!(
            result["error"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{action} INDETERMINATE"))
        );
    }
    assert_eq!(count.recv().await.as_deref(), Some("cancel_task"));
    assert_eq!(count.recv().await.as_deref(), Some("retry_task"));
}

#[tokio::test]
async fn a_command_that_comes_twice_has_one_effect_even_over_two_links() {
    let brain = Brain::start().await;
    let (asked, mut count) = mpsc::channel(8);
    let _agent = brain
        .agent()
        .with_engine(Moody { asked })
        .build()
        .unwrap()
        .spawn();
    let mut link = brain.accept().await;
    let first = ask(&mut link, "c1", "purge_queue", json!({"queue": "q"})).await;
    link.close(1001).await;
    let mut link = brain.accept().await;
    let second = ask(&mut link, "c1", "purge_queue", json!({"queue": "q"})).await;
    assert_eq!(first["status"], "success");
    assert_eq!(second["result"], first["result"]);
    assert_eq!(count.recv().await.as_deref(), Some("purge_queue"));
    assert!(count.try_recv().is_err(), "one effect");
}
