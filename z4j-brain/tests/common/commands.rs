//! Commands as a person gives them.

#![allow(
    clippy::indexing_slicing,
    reason = "what an answer does not have fails the test"
)]

use serde_json::{Value, json};
use z4j_testkit::fake_agent::{FakeAgent, FakeTask};
use z4j_testkit::fixture::{Answer, Rest};

use super::{WAIT, eventually};

pub(crate) const RETRY: &str = "/projects/default/commands/retry-task";
pub(crate) const CANCEL: &str = "/projects/default/commands/cancel-task";

pub(crate) async fn failed_task(agent: &mut FakeAgent, task_id: &str) {
    let task = FakeTask::new("celery", task_id, "shop.charge");
    let batch = agent.send_events(&task.fails()).await.unwrap();
    agent.wait_ack(&batch, WAIT).await.unwrap();
}

pub(crate) async fn running_task(agent: &mut FakeAgent, task_id: &str) {
    let task = FakeTask::new("celery", task_id, "shop.charge");
    let batch = agent
        .send_events(&[task.received(), task.started(0)])
        .await
        .unwrap();
    agent.wait_ack(&batch, WAIT).await.unwrap();
}

pub(crate) fn about(task_id: &str) -> Value {
    json!({"engine": "celery", "task_id": task_id})
}

pub(crate) fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.body["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn settled(rest: &Rest, id: &str, status: &str) -> Value {
    eventually(status, || async {
        let command = rest
            .get(&format!("/projects/default/commands/{id}"))
            .await
            .unwrap()
            .body;
        (command["status"] == status).then_some(command)
    })
    .await
}
