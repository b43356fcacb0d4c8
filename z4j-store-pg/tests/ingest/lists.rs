//! Lists of more tasks than a first look reads, against a model that reads them all.

use z4j_core::id::ProjectId;
use z4j_core::store::{EventStore, IngestEvent, TaskFilter, TaskSort};
use z4j_core::task::TaskState;
use z4j_core::time::Timestamp;
use z4j_testkit::mem::MemStore;

use crate::support::{self, Desk, at_s, batch, event, facts, ids, listed};

const TASKS: i64 = 12_000;
const PAGES_MAX: usize = 6;
/// Equal ones, ones that are equal in their first three digits only, and those beside a step of the rounding.
const RUN_TIMES_MS: [u64; 12] = [
    3, 999, 1_000, 1_004, 1_009, 1_010, 99_950, 99_999, 100_000, 9_999_999, 10_000_000, 10_050_000,
];

/// What is known of a task: when it was received and, for most, how it ended. Most ended soon after; some much later, some
/// before they were received, as a clock that is wrong has it, and some were never received.
fn history(project: ProjectId, number: i64) -> Vec<IngestEvent> {
    let (after_s, kind) = match number % 101 {
        0 => (86_400, "task.succeeded"),
        1 => (301, "task.failed"),
        2 => (300, "task.succeeded"),
        3 => (-40, "task.failed"),
        4..10 => (900 + number % 777, "task.succeeded"),
        10 => (0, "task.started"),
        _ => (number * 31 % 290, "task.succeeded"),
    };
    let at = at_s(number / 3);
    let id = format!("t-{}", number * 7_919 % TASKS);
    let first = if number % 53 == 5 {
        "task.sent"
    } else {
        "task.received"
    };
    let mut first = event(project, first, &id, at);
    let facts_of = facts(&mut first);
    let name = [0, 0, 0, 0, 0, 1, 1, 1, 2, 3][usize::try_from(number % 10).unwrap()];
    facts_of.name = Some(format!("app.n{name}").into());
    facts_of.queue = Some(format!("q{}", number % 47).into());
    facts_of.worker = Some(match number % 131 {
        few @ ..30 => format!("w{few}").into(),
        // Has more tasks than the name, and nearly none of them.
        _ if name == 1 && number % 47 > 0 => "w-other".into(),
        _ => "w-most".into(),
    });
    let end = Timestamp::from_micros(at.as_micros() + after_s * 1_000_000);
    let mut second = event(project, kind, &id, end);
    let run = usize::try_from(number % 37).unwrap() % RUN_TIMES_MS.len();
    facts(&mut second).runtime_ms = Some(RUN_TIMES_MS[run]);
    vec![first, second]
}

fn filters() -> Vec<TaskFilter> {
    let some = |text: &str| Some(text.to_owned());
    let none = TaskFilter::default();
    let name = |name: &str| TaskFilter {
        name: some(name),
        ..TaskFilter::default()
    };
    let worker = |worker: &str, filter: TaskFilter| TaskFilter {
        worker: some(worker),
        ..filter
    };
    let queue = |queue: &str, filter: TaskFilter| TaskFilter {
        queue: some(queue),
        ..filter
    };
    let within = |from: i64, to: i64, filter: TaskFilter| TaskFilter {
        since: Some(at_s(from)),
        until: Some(at_s(to)),
        ..filter
    };
    let states = |states: &[TaskState], filter: TaskFilter| TaskFilter {
        states: states.to_vec(),
        ..filter
    };
    let without_run_time = states(&[TaskState::Started], none.clone());
    vec![
        none.clone(),
        name("app.n0"),
        name("app.n3"),
        name("app.none"),
        worker("w5", none.clone()),
        worker("w5", name("app.n0")),
        worker("w13", name("app.n2")),
        queue("q2", name("app.n0")),
        queue("q2", worker("w7", none.clone())),
        states(&[TaskState::Failure, TaskState::Started], name("app.n0")),
        without_run_time.clone(),
        within(200, 3_500, without_run_time),
        within(500, 3_000, worker("w9", name("app.n0"))),
        worker("w-most", name("app.n0")),
        states(
            &[TaskState::Failure, TaskState::Success],
            worker("w-most", name("app.n0")),
        ),
        within(200, 3_500, worker("w-most", name("app.n0"))),
        worker("w-most", name("app.n1")),
        within(200, 3_500, worker("w-most", name("app.n1"))),
        queue("q6", worker("w-most", name("app.n0"))),
        queue("q31", name("app.n0")),
        TaskFilter {
            engine: some("celery"),
            ..queue("q6", none)
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_those_of_the_model_whichever_way_they_are_read() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let model = MemStore::new();
    support::create_project(&model, desk.project).await;
    let events: Vec<IngestEvent> = (0..TASKS)
        .flat_map(|number| history(desk.project, number))
        .collect();
    for events in events.chunks(2_000) {
        let (stored, expected) = (store.ingest(batch(events)), model.ingest(batch(events)));
        assert_eq!(
            stored.await.unwrap().outcomes,
            expected.await.unwrap().outcomes
        );
    }
    desk.run("ANALYZE tasks").await;
    let apart = desk
        .count(
            "SELECT count(*) FROM tasks WHERE state_at - received_at NOT BETWEEN 0 AND 300000000",
        )
        .await;
    assert!((500..2_000).contains(&apart), "{apart} are apart");
    for filter in filters() {
        for sort in TaskSort::ALL {
            let found = listed(&store, desk.project, (&filter, sort), PAGES_MAX).await;
            let expected = listed(&model, desk.project, (&filter, sort), PAGES_MAX).await;
            assert_eq!(ids(&found), ids(&expected), "{filter:?} by {sort:?}");
        }
    }
}
