//! Projects know nothing of each other.

use z4j_core::audit::ChainId;
use z4j_core::store::{
    CommandFilter, IdempotencyKey, PageRequest, QueueSighting, ReportBatch, Store, TaskFilter,
    TaskSort,
};

use super::scene::{Scene, Sent, advance, at_s, key, new_link};

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
    let (store, project) = (scene.store, scene.project);
    let page = || PageRequest::first(50);
    let mut told = Vec::new();
    told.push(format!("{:?}", scene.task("t1").await));
    told.push(format!(
        "{:?}",
        store
            .task_events(project, &key("t1"), page())
            .await
            .expect("events")
    ));
    for sort in [TaskSort::UpdatedDesc, TaskSort::FinishedDesc] {
        let filter = TaskFilter {
            search: Some("t".to_owned()),
            ..TaskFilter::default()
        };
        told.push(format!(
            "{:?}",
            store
                .tasks(project, &filter, sort, page())
                .await
                .expect("tasks")
        ));
    }
    told.push(format!(
        "{:?}",
        store
            .task_tree(project, &key("t1"), 10)
            .await
            .expect("a tree")
    ));
    told.push(format!(
        "{:?}",
        store.facets(project, 10).await.expect("facets")
    ));
    told.push(format!(
        "{:?}",
        store.state_counts(project).await.expect("counts")
    ));
    told.push(format!(
        "{:?}",
        store
            .minute_counts(project, at_s(-60), at_s(600))
            .await
            .expect("counts")
    ));
    told.push(format!(
        "{:?}",
        store
            .commands(project, &CommandFilter::default(), page())
            .await
            .expect("commands")
    ));
    told.push(format!(
        "{:?}",
        store.agents(project).await.expect("agents")
    ));
    told.push(format!(
        "{:?}",
        store.workers(project).await.expect("workers")
    ));
    told.push(format!(
        "{:?}",
        store.queues(project).await.expect("queues")
    ));
    told.push(format!(
        "{:?}",
        store
            .audit_page(ChainId::Project(project), None, page())
            .await
            .expect("audit")
    ));
    told.join("\n")
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
        .sweep_workers(at_s(2), super::scene::seconds(60))
        .await
        .expect("sweeping");
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
    let mut claim = scene.claim(new_link(), at_s(5));
    claim.agent_id = scene.other_agent;
    assert!(
        store
            .claim_commands(claim)
            .await
            .expect("an answer")
            .is_empty()
    );
}
