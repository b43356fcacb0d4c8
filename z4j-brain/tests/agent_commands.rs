//! Commands from REST to an agent and back, and what becomes of them when it goes wrong.
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

use common::commands::{CANCEL, RETRY, about, failed_task, id_of, running_task, settled};
use common::{QUIET, WAIT, agent, agent_when, brain, event_count, eventually, sqlite, task};
use serde_json::{Value, json};
use z4j_core::wire::FrameType;
use z4j_testkit::fake_agent::{FakeAgent, FakeAgentError};
use z4j_testkit::fixture::{Rest, TestBrain, TestBrainOptions};

async fn count_commands(rest: &Rest) -> usize {
    let list = rest.get("/projects/default/commands").await.unwrap().body;
    list["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_to_the_agent_and_links_the_new_task_to_the_old_one() {
    let (_directory, brain) = brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    failed_task(&mut agent, "old").await;
    let rest = brain.sign_in().await.unwrap();
    let id = id_of(&rest.post(RETRY, &about("old")).await.unwrap());

    let command = agent.wait_command(WAIT).await.unwrap();
    assert_eq!(
        (command.id.as_str(), command.action.as_str()),
        (id.as_str(), "retry_task")
    );
    assert_eq!(
        Value::from(command.target.clone()),
        json!({"type": "task", "id": "celery:old", "engine": "celery"})
    );
    let parameters = json!({"task_id": "old", "engine": "celery", "task_name": "shop.charge"});
    assert_eq!(Value::from(command.parameters.clone()), parameters);
    agent.ack_command(&command).await.unwrap();
    settled(&rest, &id, "acknowledged").await;
    // The new task's first event may come before the result that names it.
    common::works(&mut agent, "new").await;
    let result = json!({"new_task_id": "new", "task_name": "shop.charge", "priority": null, "note": "Bearer abcdefghijklmnop1234"});
    agent.succeed_command(&command, &result).await.unwrap();
    let done = settled(&rest, &id, "completed").await;
    assert_eq!(done["result"]["new_task_id"], "new");
    assert!(
        !done["result"].to_string().contains("abcdefghijklmnop"),
        "{done}"
    );
    assert!(done["completed_at"].is_string() && done["acknowledged_at"].is_string());
    assert_eq!(
        task(&brain, "old")
            .await
            .unwrap()
            .summary
            .retried_as
            .as_deref(),
        Some("new")
    );
    assert_eq!(
        task(&brain, "new")
            .await
            .unwrap()
            .summary
            .retry_of
            .as_deref(),
        Some("old")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_keeps_the_id_makes_no_link() {
    let (_directory, brain) = brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    failed_task(&mut agent, "same").await;
    let rest = brain.sign_in().await.unwrap();
    let id = id_of(&rest.post(RETRY, &about("same")).await.unwrap());
    let command = agent.wait_command(WAIT).await.unwrap();
    agent
        .succeed_command(
            &command,
            &json!({"new_task_id": "same", "queue": "default"}),
        )
        .await
        .unwrap();
    settled(&rest, &id, "completed").await;
    assert_eq!(task(&brain, "same").await.unwrap().summary.retried_as, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_agent_says_of_a_command_is_told_as_it_is() {
    let (_directory, brain) = brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    let rest = brain.sign_in().await.unwrap();
    for (name, status) in [("refused", "failed"), ("nobody knows", "unknown")] {
        failed_task(&mut agent, name).await;
        let id = id_of(&rest.post(RETRY, &about(name)).await.unwrap());
        let command = agent.wait_command(WAIT).await.unwrap();
        if status == "failed" {
            agent.fail_command(&command, "not today").await.unwrap();
        } else {
            agent.lose_command(&command).await.unwrap();
        }
        let done = settled(&rest, &id, status).await;
        assert!(done["error"].is_string(), "{done}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_nobody_can_carry_out_is_refused_with_the_reason_and_leaves_no_row() {
    let (_directory, brain) = brain().await;
    let (credentials, mut able) = agent(&brain, "able").await;
    failed_task(&mut able, "t").await;
    able.close().await;
    agent_when(&brain, &credentials, "it is offline", |row| {
        row.links.is_empty()
    })
    .await;
    let rest = brain.sign_in().await.unwrap();
    let refusal = |part: &'static str| {
        let rest = rest.clone();
        async move {
            eventually(part, || async {
                let answer = rest.post(RETRY, &about("t")).await.unwrap();
                assert_eq!(
                    (answer.status, &answer.body["error"]),
                    (409, &json!("no_agent")),
                    "{}",
                    answer.body
                );
                answer.body["message"]
                    .as_str()
                    .unwrap()
                    .contains(part)
                    .then_some(())
            })
            .await;
        }
    };
    refusal("No agent is connected").await;
    let without = brain.mint("old version").await.unwrap();
    let config = brain.config_of(&without).unwrap().with_hello(|hello| {
        hello
            .capabilities
            .get_mut("celery")
            .unwrap()
            .retain(|token| token != "retry_by_reference_v1");
    });
    let _old = FakeAgent::connect(config).await.unwrap();
    refusal("retry by reference").await;
    let other = brain.mint("other engine").await.unwrap();
    let config = brain
        .config_of(&other)
        .unwrap()
        .with_hello(|hello| hello.engines = vec!["rq".to_owned()]);
    let _other = FakeAgent::connect(config).await.unwrap();
    refusal("retry by reference").await;
    assert_eq!(count_commands(&rest).await, 0);
    let missing = rest.post(RETRY, &about("nowhere")).await.unwrap();
    assert_eq!(
        (missing.status, &missing.body["error"]),
        (404, &json!("task_not_found"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_task_cannot_be_cancelled_and_a_running_one_can() {
    let (_directory, brain) = brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    failed_task(&mut agent, "over").await;
    running_task(&mut agent, "running").await;
    let rest = brain.sign_in().await.unwrap();
    let refused = rest.post(CANCEL, &about("over")).await.unwrap();
    assert_eq!(
        (refused.status, &refused.body["error"]),
        (409, &json!("task_finished"))
    );
    assert!(
        refused.body["message"]
            .as_str()
            .unwrap()
            .contains("failure"),
        "{}",
        refused.body
    );
    let id = id_of(&rest.post(CANCEL, &about("running")).await.unwrap());
    let command = agent.wait_command(WAIT).await.unwrap();
    assert_eq!(command.action, "cancel_task");
    agent.ack_command(&command).await.unwrap();
    agent
        .succeed_command(&command, &json!({"task_id": "running", "terminated": true}))
        .await
        .unwrap();
    settled(&rest, &id, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_link_is_cut_is_sent_again_only_when_that_is_safe() {
    let (_directory, brain) = brain().await;
    let (credentials, mut first) = agent(&brain, "worker").await;
    failed_task(&mut first, "over").await;
    running_task(&mut first, "running").await;
    let rest = brain.sign_in().await.unwrap();
    let retry = id_of(&rest.post(RETRY, &about("over")).await.unwrap());
    first.wait_command(WAIT).await.unwrap();
    let cancel = id_of(&rest.post(CANCEL, &about("running")).await.unwrap());
    first.wait_command(WAIT).await.unwrap();
    first.cut();
    settled(&rest, &retry, "unknown").await;
    let mut second = FakeAgent::connect(brain.config_of(&credentials).unwrap())
        .await
        .unwrap();
    let command = second.wait_command(WAIT).await.unwrap();
    assert_eq!(command.id, cancel);
    second
        .succeed_command(&command, &json!({"task_id": "running", "terminated": true}))
        .await
        .unwrap();
    settled(&rest, &cancel, "completed").await;
    let more = second.wait_command(QUIET).await;
    assert!(matches!(more, Err(FakeAgentError::TimedOut(_))), "{more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_an_answer_ends_at_its_deadline() {
    let (_directory, store) = sqlite();
    let options = TestBrainOptions::new();
    let options =
        options.with_config(|config| config.agents.command_timeout = Duration::from_secs(1));
    let brain = TestBrain::start_with(store, options).await.unwrap();
    let (_, mut agent) = agent(&brain, "silent").await;
    failed_task(&mut agent, "t").await;
    let rest = brain.sign_in().await.unwrap();
    let id = id_of(&rest.post(RETRY, &about("t")).await.unwrap());
    let command = agent.wait_command(WAIT).await.unwrap();
    settled(&rest, &id, "unknown").await;
    agent
        .succeed_command(&command, &json!({"new_task_id": "late"}))
        .await
        .unwrap();
    let late = settled(&rest, &id, "completed").await;
    assert_eq!(late["result"]["new_task_id"], "late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_may_wait_for_its_agent_to_come_back() {
    let (_directory, brain) = brain().await;
    let (credentials, mut agent) = agent(&brain, "away").await;
    running_task(&mut agent, "t").await;
    agent.close().await;
    let rest = brain.sign_in().await.unwrap();
    let mut wish = about("t");
    wish["when"] = json!("next_connect");
    let id = id_of(&rest.post(CANCEL, &wish).await.unwrap());
    let mut back = FakeAgent::connect(brain.config_of(&credentials).unwrap())
        .await
        .unwrap();
    assert_eq!(back.wait_command(WAIT).await.unwrap().id, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_first_answer_and_another_request_is_refused() {
    let (_directory, brain) = brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    failed_task(&mut agent, "t").await;
    failed_task(&mut agent, "other").await;
    let rest = brain.sign_in().await.unwrap();
    let mut wish = about("t");
    wish["idempotency_key"] = json!("monday-1");
    let first = id_of(&rest.post(RETRY, &wish).await.unwrap());
    agent.wait_command(WAIT).await.unwrap();
    agent.close().await;
    assert_eq!(id_of(&rest.post(RETRY, &wish).await.unwrap()), first);
    wish["task_id"] = json!("other");
    let other = rest.post(RETRY, &wish).await.unwrap();
    assert_eq!(other.status, 409, "{}", other.body);
    assert_eq!(count_commands(&rest).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_cannot_answer_commands_of_another_one() {
    let (_directory, brain) = brain().await;
    let (_, mut owner) = agent(&brain, "owner").await;
    let (_, mut other) = agent(&brain, "other").await;
    failed_task(&mut owner, "t").await;
    let rest = brain.sign_in().await.unwrap();
    let id = id_of(&rest.post(RETRY, &about("t")).await.unwrap());
    let command = owner.wait_command(WAIT).await.unwrap();
    other
        .succeed_command(&command, &json!({"new_task_id": "stolen"}))
        .await
        .unwrap();
    other
        .send(FrameType::CommandAck, "no-such-command", &json!({}))
        .await
        .unwrap();
    common::works(&mut other, "the other one lives").await;
    owner.fail_command(&command, "no").await.unwrap();
    settled(&rest, &id, "failed").await;
    assert_eq!(task(&brain, "t").await.unwrap().summary.retried_as, None);
    assert_eq!(event_count(&brain, "t").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_look_like_a_secret_are_not_kept() {
    let (_directory, brain) = brain().await;
    let (_, mut agent) = agent(&brain, "worker").await;
    failed_task(&mut agent, "t").await;
    let rest = brain.sign_in().await.unwrap();
    let mut wish = about("t");
    wish["override_args"] = json!([]);
    wish["override_kwargs"] = json!({"password": "hunter2"});
    let refused = rest.post(RETRY, &wish).await.unwrap();
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(count_commands(&rest).await, 0);
    wish["override_kwargs"] = json!({"amount": 12});
    wish["eta_seconds"] = json!(5);
    let id = id_of(&rest.post(RETRY, &wish).await.unwrap());
    let command = agent.wait_command(WAIT).await.unwrap();
    assert_eq!(command.id, id);
    assert_eq!(command.parameters["override_kwargs"], json!({"amount": 12}));
    assert_eq!(command.parameters["override_args"], json!([]));
    assert_eq!(command.parameters["eta_seconds"], json!(5));
}
