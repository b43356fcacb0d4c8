//! Projects know nothing of each other.

use std::fmt::Debug;

use z4j_core::audit::ChainId;
use z4j_core::store::{
    CommandFilter, IdempotencyKey, PageRequest, QueueSighting, ReportBatch, Store, StoreError,
    TaskFilter, TaskSort,
};

use super::scene::{Scene, Sent, advance, at_s, key};

async fn fill(scene: &Scene<'_>) {
    let events = [
        ("task.received", 1),
        ("task.started", 2),
        ("task.failed", 3),
    ];
    let sent = |(kind, at)| {
        scene
            .event(kind, "t1", at_s(at))
            .name("app.add")
            .queue("q")
            .worker("w")
    };
    let _ = scene.ingest(events.map(sent)).await;
    let _ = scene
        .store
        .issue_command(scene.command(at_s(4)))
        .await
        .expect("issuing");
}

/// Every answer about the first project, as one text.
async fn answers(scene: &Scene<'_>) -> String {
    [
        answers_on_tasks(scene).await,
        answers_on_the_rest(scene).await,
    ]
    .concat()
}

fn told(answer: Result<impl Debug, StoreError>) -> String {
    format!("{:?}\n", answer.expect("an answer"))
}

fn page() -> PageRequest {
    PageRequest::first(50)
}

async fn answers_on_tasks(scene: &Scene<'_>) -> String {
    let (store, project, task) = (scene.store, scene.project, key("t1"));
    let mut all = vec![
        told(store.task(project, &task).await),
        told(store.task_events(project, &task, page()).await),
        told(store.task_tree(project, &task, 10).await),
        told(store.facets(project, 10).await),
        told(store.state_counts(project).await),
        told(store.minute_counts(project, at_s(-60), at_s(600)).await),
    ];
    for sort in [TaskSort::UpdatedDesc, TaskSort::FinishedDesc] {
        let filter = TaskFilter {
            search: Some("t".to_owned()),
            ..TaskFilter::default()
        };
        all.push(told(store.tasks(project, &filter, sort, page()).await));
    }
    all.concat()
}

async fn answers_on_the_rest(scene: &Scene<'_>) -> String {
    let (store, project) = (scene.store, scene.project);
    let chain = ChainId::Project(project);
    let any = CommandFilter::default();
    let all = [
        told(store.commands(project, &any, page()).await),
        told(store.agents(project).await),
        told(store.workers(project).await),
        told(store.queues(project).await),
        told(store.audit_page(chain, None, page()).await),
    ];
    all.concat()
}

pub(super) async fn data_of_another_project_changes_no_answer(store: &dyn Store) {
    let scene = Scene::set(store).await;
    fill(&scene).await;
    let before = answers(&scene).await;
    let twin = Scene {
        store,
        project: scene.other_project,
        other_project: scene.project,
        agent: scene.other_agent,
        second_agent: scene.other_agent,
        other_agent: scene.agent,
    };
    fill(&twin).await;
    let other = [("task.started", "t9", 5), ("task.succeeded", "t1", 900)];
    let sent = |(kind, id, at)| {
        Sent::new(twin.project, twin.agent, kind, id, at_s(at))
            .queue("q")
            .worker("w")
    };
    let _ = twin.ingest(other.map(sent)).await;
    let queue = QueueSighting {
        project_id: twin.project,
        engine: "celery".to_owned(),
        name: "q".to_owned(),
        depth: Some(99),
        at: at_s(1_000),
    };
    let reports = ReportBatch {
        queues: vec![queue],
        ..ReportBatch::default()
    };
    store.record_reports(reports).await.expect("reporting");
    store
        .open_link(twin.link(at_s(1_000)))
        .await
        .expect("opening a link");
    let _ = store
        .sweep_workers(
            &super::scene::upkeep(store, at_s(2)).await,
            at_s(2),
            super::scene::seconds(60),
        )
        .await
        .expect("sweeping");
    let claim = twin.claim(twin.open_link().await, at_s(5));
    let claimed = store.claim_commands(claim).await.expect("claiming");
    assert_eq!(claimed.len(), 1);
    assert_eq!(answers(&scene).await, before);
}

pub(super) async fn ids_of_another_project_find_nothing(store: &dyn Store) {
    let scene = Scene::set(store).await;
    fill(&scene).await;
    let mut command = scene.command(at_s(4));
    command.idempotency = Some(IdempotencyKey {
        key: "k".to_owned(),
        digest: [1; 32],
    });
    let id = command.id;
    let _ = store.issue_command(command).await.expect("issuing");
    let other = scene.other_project;
    assert!(
        store
            .task(other, &key("t1"))
            .await
            .expect("an answer")
            .is_none()
    );
    assert!(store.command(other, id).await.expect("an answer").is_none());
    assert!(
        store
            .agent(other, scene.agent)
            .await
            .expect("an answer")
            .is_none()
    );
    assert!(
        store
            .task_tree(other, &key("t1"), 10)
            .await
            .expect("an answer")
            .is_none()
    );
    let of_other = advance(
        id,
        scene.other_agent,
        z4j_core::command::CommandInput::Claimed,
        at_s(5),
    );
    assert!(matches!(
        store.advance_command(of_other).await.expect("an answer"),
        z4j_core::store::AdvanceOutcome::NotFound
    ));
    let mut claim = scene.claim(scene.open_link().await, at_s(5));
    claim.agent_id = scene.other_agent;
    assert!(
        store
            .claim_commands(claim)
            .await
            .expect("an answer")
            .is_empty()
    );
}
