//! Searches of more tasks than a first look reads, against a model that reads them all.

use z4j_core::id::ProjectId;
use z4j_core::store::{EventStore, IngestEvent, TaskFilter, TaskSort};
use z4j_core::task::TaskState;
use z4j_core::time::Timestamp;
use z4j_testkit::mem::MemStore;

use crate::support::{self, Desk, at_s, batch, event, facts, ids, listed};

const DAY_S: i64 = 86_400;
/// Most of them on one day: more than are looked up at once.
const TASKS: i64 = 12_000;
const PAGES_MAX: usize = 5;
/// Seven of eight tasks on one day, the others on ten days before and nine after.
fn sent_at(number: i64) -> Timestamp {
    let day = if number % 8 == 0 {
        number / 8 % 20 - 10
    } else {
        0
    };
    at_s(day * DAY_S + number)
}

fn first(project: ProjectId, number: i64) -> IngestEvent {
    let kind = if number % 3 == 0 {
        "task.received"
    } else {
        "task.sent"
    };
    let mut event = event(project, kind, &format!("t-{number}"), sent_at(number));
    let facts = facts(&mut event);
    let word = if number % 1_500 == 8 { "Erp" } else { "plain" };
    facts.name = Some(format!("app.n{}", number % 7).into());
    facts.worker = Some(format!("w{}", number % 900).into());
    facts.args = Some(format!("[{number}, \"common-{word}\", \"Grün\"]").into());
    // One digit in a row up to ten times.
    let run = (number % 10)
        .to_string()
        .repeat((number / 10 % 11) as usize);
    let mail = number % 3_000;
    facts.kwargs =
        Some(format!("{{\"mail\": \"user{mail}@example.com\", \"ref\": \"{run}\"}}").into());
    event
}

/// How the task goes on: some on the same day, some days later, some never.
fn second(project: ProjectId, number: i64) -> Option<IngestEvent> {
    let (kind, days) = match number % 97 {
        0 => ("task.succeeded", 2),
        1 => ("task.failed", 11),
        2..30 => ("task.succeeded", 0),
        _ => return None,
    };
    let at = Timestamp::from_micros(sent_at(number).as_micros() + days * DAY_S * 1_000_000 + 9);
    let mut event = event(project, kind, &format!("t-{number}"), at);
    facts(&mut event).runtime_ms = Some(u64::try_from(number).unwrap() % 500);
    Some(event)
}

fn search(text: &str) -> TaskFilter {
    TaskFilter {
        search: Some(text.to_owned()),
        ..TaskFilter::default()
    }
}

fn filters() -> Vec<TaskFilter> {
    let texts = [
        "user77@",
        "USER2910",
        "4711",
        "-471",
        "[97, ",
        "t-9700",
        "erp",
        "\"Erp",
        "common-e",
        "grün",
        "zzzz",
        "none of",
        "77",
        "",
        "[4711,",
        "\"3333",
        "33333",
        "6666666\"",
        "n 999999999",
    ];
    let mut filters: Vec<TaskFilter> = texts.into_iter().map(search).collect();
    // Frequent, but not among those that the filter takes.
    filters.push(TaskFilter {
        name: Some("app.n1".to_owned()),
        worker: Some("w3".to_owned()),
        ..search("common")
    });
    filters.push(TaskFilter {
        states: vec![TaskState::Failure],
        ..search("user")
    });
    filters.push(TaskFilter {
        since: Some(at_s(-5 * DAY_S)),
        until: Some(at_s(4 * DAY_S + 5_000)),
        ..search("mail\": \"user1")
    });
    filters
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_find_what_reading_everything_finds_wherever_the_words_are() {
    let desk = Desk::fresh().await;
    let store = desk.store().await;
    let model = MemStore::new();
    support::create_project(&model, desk.project).await;
    let mut events: Vec<IngestEvent> = (0..TASKS)
        .map(|number| first(desk.project, number))
        .collect();
    events.extend((0..TASKS).filter_map(|number| second(desk.project, number)));
    for events in events.chunks(2_000) {
        let (stored, expected) = (store.ingest(batch(events)), model.ingest(batch(events)));
        assert_eq!(
            stored.await.unwrap().outcomes,
            expected.await.unwrap().outcomes
        );
    }
    let compare = async |place: &str| {
        for filter in filters() {
            for sort in TaskSort::ALL {
                let found = listed(&store, desk.project, (&filter, sort), PAGES_MAX).await;
                let expected = listed(&model, desk.project, (&filter, sort), PAGES_MAX).await;
                assert_eq!(
                    ids(&found),
                    ids(&expected),
                    "{place}: {filter:?} by {sort:?}"
                );
            }
        }
    };
    compare("while some words are not indexed yet").await;
    desk.run(
        "WITH moved AS (DELETE FROM task_texts_new RETURNING project_id, at, engine, task_id, words) \
         INSERT INTO task_texts (project_id, at, engine, task_id, words) \
         SELECT project_id, at, engine, task_id, words FROM moved",
    )
    .await;
    desk.run(
        "SELECT gin_clean_pending_list(inhrelid) FROM pg_inherits WHERE inhparent = 'task_texts_by_gram'::regclass",
    )
    .await;
    let strays = desk.count("SELECT count(*) FROM task_texts_default").await;
    let all = desk.count("SELECT count(*) FROM task_texts").await;
    assert!(
        (1..all / 4).contains(&strays),
        "{strays} of {all} are of days without a partition"
    );
    compare("when all words are indexed").await;
}
